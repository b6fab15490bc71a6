"""Published claims, one file each; `launch.py reproduce --list`."""
