"""Task types besides open questions: each a stage of questions, one of answers, a check and a form of chat."""
