// Names of images as Docker and containerd read them.
#ifndef KEELSON_OCI_REFERENCE_H
#define KEELSON_OCI_REFERENCE_H

#include <string>

namespace keelson::oci {

struct Reference {
    std::string host;        // "docker.io", "localhost:5000", "[::1]:5000"
    std::string repository;  // "library/nginx"
    std::string tag;         // empty only when there is a digest
    std::string digest;      // "sha256:..." or empty

    [[nodiscard]] std::string name() const { return host + "/" + repository; }
    // "docker.io/library/nginx:1", with "@sha256:..." when a digest was said: the name it is stored under.
    [[nodiscard]] std::string text() const;
    // What is asked of the registry: the digest, or else the tag.
    [[nodiscard]] const std::string& version() const { return digest.empty() ? tag : digest; }
};

// Throws Code::invalid with what is wrong with it.
[[nodiscard]] Reference parse_reference(const std::string& text);

}  // namespace keelson::oci

#endif
