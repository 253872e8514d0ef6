"""Reading and checking the bills of materials that documents/spdx.py and documents/cyclonedx.py write."""
