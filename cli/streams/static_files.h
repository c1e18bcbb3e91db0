// Files of a directory, as a web server gives them.
#pragma once

#include <optional>
#include <string>

namespace keelson::cli::streams {

struct StaticFile {
    std::string type;  // of its content
    std::string content;
};

// `path` is decoded and relative. A directory is its index.html, else a list of what is in it. Nothing for
// what is not there, is no file, or lies outside of the directory.
std::optional<StaticFile> read_static_file(const std::string& directory, const std::string& path);

}  // namespace keelson::cli::streams
