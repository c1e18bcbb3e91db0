#include "kernel/node/directory_size.h"

#include <sys/stat.h>

#include <filesystem>

namespace keelson::node {
namespace {

constexpr std::size_t kMostFiles = 1'000'000;
constexpr std::int64_t kBlockBytes = 512;  // what st_blocks counts in, whatever the file system

}  // namespace

std::int64_t directory_bytes(const std::string& path) {
    std::int64_t bytes = 0;
    std::size_t files = 0;
    std::error_code error;
    std::filesystem::recursive_directory_iterator at(
        path, std::filesystem::directory_options::skip_permission_denied, error);
    for (; !error && at != std::filesystem::recursive_directory_iterator() && files < kMostFiles;
         at.increment(error), ++files) {
        struct stat about {};
        if (::lstat(at->path().c_str(), &about) == 0) bytes += about.st_blocks * kBlockBytes;
    }
    return bytes;
}

}  // namespace keelson::node
