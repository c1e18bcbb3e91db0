// Large bodies to and from files, with their SHA-256. Calls block.
#pragma once

#include <cstdint>
#include <string>

#include "kernel/admin/context.h"
#include "kernel/admin/exchange.h"

namespace keelson::admin {

// The X-Keelson-Sha256 of a request: 64 hexadecimal digits, in lower case.
[[nodiscard]] tl::expected<std::string, Problem> wanted_sha256(const Request& request);

// A file that is removed with the object, unless it has been renamed before.
class TemporaryFile {
  public:
    // In `directory`; the name begins with ".upload-" or whatever `prefix` says.
    TemporaryFile(const std::string& directory, const std::string& prefix);
    ~TemporaryFile();
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string path_;
};

// Receives the body into a new file, synced to disk. Fails, with nothing of use in the file, when it is
// longer than the limit or its sum is not the wanted one.
[[nodiscard]] tl::expected<std::uint64_t, Problem> receive_file(const Context& context,
                                                                const Request& request,
                                                                const std::string& path, mode_t mode,
                                                                std::uint64_t limit_bytes,
                                                                const std::string& sha256);

struct FileSum {
    std::uint64_t bytes = 0;
    std::string hexadecimal;
    std::string base64;
};
// Fails as well when the server stops meanwhile.
[[nodiscard]] base::Result<FileSum> sum_file(const Context& context, int descriptor, const std::string& path);

}  // namespace keelson::admin
