"""``python -m jpegcrypt`` is the command ``jpegcrypt``."""

from jpegcrypt.cli import main

if __name__ == "__main__":
    main()
