// What an image archive had in it, and which images that makes.
#ifndef KEELSON_OCI_ARCHIVE_CONTENTS_H
#define KEELSON_OCI_ARCHIVE_CONTENTS_H

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "archive_load.h"

namespace keelson::oci {

struct ArchiveContents {
    std::map<std::string, std::string> documents;  // small files by path
    std::map<std::string, std::string> paths_by_digest;
    std::map<std::string, std::shared_ptr<ArchiveLayer>> layers_by_path;
    std::map<std::string, std::shared_ptr<ArchiveLayer>> layers_by_digest;
    std::map<std::string, std::string> links;
};

// "./a//b/../c" as "a/c"; it names an entry of the archive and never a file.
[[nodiscard]] std::string archive_path(std::string_view text);

[[nodiscard]] std::vector<ArchiveImage> images_of(const ArchiveContents& contents, const Limits& limits);

}  // namespace keelson::oci

#endif
