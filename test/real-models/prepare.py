"""Makes the recordings that real-models.ts plays: `python3 prepare.py <folder>`, with Python 3.11 or newer.

Installs requirements.txt into a virtual environment in the folder and runs record.py there; nothing to do where both are
done and nothing has changed since.
"""

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = ["requirements.txt", "prepare.py", "inputs.py", "models.py", "record.py"]


def main(folder):
    own = folder / ".onnxmq-real-models"
    if folder.exists() and any(folder.iterdir()) and not own.exists():
        sys.exit(f"  {folder} holds other things; name a folder that is empty or not there")
    folder.mkdir(parents=True, exist_ok=True)
    own.touch()
    stamp = folder / "stamp"
    wanted = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in SOURCES)).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    stamp.unlink(missing_ok=True)
    environment = folder / "venv"
    venv.create(environment, clear=True, with_pip=True)
    python = environment / "bin" / "python"
    print(f"  installs the packages of requirements.txt into {environment}", flush=True)
    install = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([python, "-m", "pip", *install, "-r", HERE / "requirements.txt"], check=True)
    subprocess.run([python, HERE / "record.py", folder / "recordings"], check=True)
    stamp.write_text(wanted)


main(Path(sys.argv[1]).resolve())
