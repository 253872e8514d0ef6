"""Language model engines behind one asynchronous call: vLLM, OpenAI-compatible servers, and a scripted one."""
