#!/usr/bin/env python3
"""What the programs and plugins are made of, as an SPDX 2.3 document: the Debian packages of the libraries that they load,
and of those that are compiled into them.

  make_sbom.py VERSION OUTPUT BINARY..."""
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import time

# Header-only libraries leave no trace in a binary.
COMPILED_IN = ("libboost-dev", "nlohmann-json3-dev", "libcli11-dev", "libexpected-dev", "libvalijson-dev")


def libraries(binary):
    said = subprocess.run(["ldd", binary], check=True, capture_output=True, text=True).stdout
    for line in said.splitlines():
        words = line.split()
        if "=>" in words and words[2].startswith("/"):
            yield words[2]


def package_of(path):
    # Packages name the path before the merge of /lib into /usr/lib.
    for candidate in (path, path.removeprefix("/usr"), "/usr" + path):
        done = subprocess.run(["dpkg-query", "--search", candidate], capture_output=True, text=True)
        if done.returncode == 0:
            return done.stdout.split(":")[0]
    return None


def version_of(package):
    done = subprocess.run(["dpkg-query", "--show", "--showformat=${Version}", package], capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None


def main():
    version, output, *binaries = sys.argv[1:]
    loaded = {library for binary in binaries for library in libraries(binary)}
    found = {package_of(os.path.realpath(library)) or package_of(library) for library in sorted(loaded)} - {None}
    names = sorted(found | {name for name in COMPILED_IN if version_of(name)})
    packages = [{"SPDXID": "SPDXRef-keelson", "name": "keelson", "versionInfo": version, "downloadLocation": "NOASSERTION",
                 "filesAnalyzed": False}]
    relations = [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-keelson"}]
    for name in names:
        packages.append({"SPDXID": f"SPDXRef-{name}", "name": name, "versionInfo": version_of(name), "supplier": "Organization: Debian",
                         "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
                         "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                                           "referenceLocator": f"pkg:deb/debian/{name}@{version_of(name)}"}]})
        kind = "STATIC_LINK" if name in COMPILED_IN else "DYNAMIC_LINK"
        relations.append({"spdxElementId": "SPDXRef-keelson", "relationshipType": kind, "relatedSpdxElement": f"SPDXRef-{name}"})
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))))
    identity = hashlib.sha256(json.dumps(packages, sort_keys=True).encode()).hexdigest()
    document = {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"keelson-{version}",
                "documentNamespace": f"https://keelson.dev/sbom/{version}/{identity[:32]}",
                "creationInfo": {"created": created, "creators": ["Tool: keelson-make_sbom"]},
                "packages": packages, "relationships": relations}
    pathlib.Path(output).write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
