#include "cli/files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <vector>

#include "kernel/base/sha256.h"

namespace keelson::cli {
namespace {

tl::unexpected<Failure> system_failure(const std::string& path) {
    return fail(path + ": " + std::strerror(errno));
}

tl::unexpected<Failure> is_there(const std::string& path) {
    return fail(path + " is there already: name another file, or overwrite it with --force");
}

std::string directory_of(const std::string& path) {
    const std::string directory = std::filesystem::path(path).parent_path().string();
    return directory.empty() ? "." : directory;
}

bool move_file(const std::string& from, const std::string& to, bool overwrites) {
    if (overwrites) return std::rename(from.c_str(), to.c_str()) == 0;
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return true;
    // Some file systems cannot refuse; that the place is free has been looked at before.
    return errno == EINVAL && std::rename(from.c_str(), to.c_str()) == 0;
}

// A rename is durable with its directory. Some file systems have no such thing: that is no failure.
void sync_directory(const std::string& directory) {
    const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return;
    ::fsync(descriptor);
    ::close(descriptor);
}

// Reads to the end.
FileSum sum_of(std::istream& stream) {
    base::Sha256 sum;
    FileSum result;
    std::vector<char> piece(64u << 10);
    while (stream.read(piece.data(), static_cast<std::streamsize>(piece.size())) || stream.gcount() > 0) {
        sum.add({piece.data(), static_cast<std::size_t>(stream.gcount())});
        result.bytes += static_cast<std::uint64_t>(stream.gcount());
    }
    result.hexadecimal = base::hexadecimal(sum.finish());
    return result;
}

}  // namespace

Result<Source> open_source(const std::string& file, std::string_view advice) {
    std::error_code code;
    // A directory opens as well, and a pipe cannot be read twice.
    if (const auto status = std::filesystem::status(file, code);
        std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
        return fail(file + " is not a plain file: " + std::string(advice));
    Source source;
    source.stream.open(file, std::ios::binary);
    if (!source.stream) return system_failure(file);
    source.sum = sum_of(source.stream);
    if (source.stream.bad()) return fail(file + " cannot be read");
    source.stream.clear();
    source.stream.seekg(0);
    return source;
}

Result<std::unique_ptr<NewFile>> NewFile::create(const std::string& place, bool overwrites) {
    struct stat state {};
    if (::lstat(place.c_str(), &state) == 0) {
        if (!overwrites) return is_there(place);
        // A rename would put a file in the place of a device or a link.
        if (!S_ISREG(state.st_mode)) return fail(place + " is not a plain file: name another one");
    }
    std::string temporary = place + ".XXXXXX";
    const int descriptor = ::mkostemp(temporary.data(), O_CLOEXEC);
    if (descriptor < 0) return system_failure(place);
    return std::unique_ptr<NewFile>(new NewFile(place, std::move(temporary), descriptor, overwrites));
}

NewFile::NewFile(std::string place, std::string temporary, int descriptor, bool overwrites)
    : place_(std::move(place)),
      temporary_(std::move(temporary)),
      descriptor_(descriptor),
      overwrites_(overwrites) {}

NewFile::~NewFile() {
    ::close(descriptor_);
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Result<void> NewFile::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return system_failure(place_);
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
}

Result<void> NewFile::keep() {
    if (::fchmod(descriptor_, 0600) != 0 || ::fsync(descriptor_) != 0) return system_failure(place_);
    if (!move_file(temporary_, place_, overwrites_))
        return errno == EEXIST ? is_there(place_) : system_failure(place_);
    temporary_.clear();
    sync_directory(directory_of(place_));
    return {};
}

}  // namespace keelson::cli
