#include "cli/streams/tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "kernel/base/files.h"

namespace keelson::cli::streams {
namespace {

namespace fs = std::filesystem;
using base::FileDescriptor;

constexpr std::size_t kPiece = 64u << 10;
constexpr int kDeepest = 200;
constexpr std::size_t kMostWarnings = 100;

struct Free {
    void operator()(archive* one) const { archive_free(one); }
    void operator()(archive_entry* one) const { archive_entry_free(one); }
};
using Archive = std::unique_ptr<archive, Free>;
using Entry = std::unique_ptr<archive_entry, Free>;

tl::unexpected<Failure> broken(const std::string& path) {
    return fail(path + ": " + std::strerror(errno));
}

tl::unexpected<Failure> broken(archive* one) {
    const char* why = archive_error_string(one);
    return fail(std::string("the archive: ") + (why == nullptr ? "it ends early" : why));
}

class Packer {
  public:
    explicit Packer(archive* out) : out_(out) {}

    Result<void> add(const std::string& source, const std::string& name, int depth) {
        struct stat status {};
        if (depth > kDeepest) return fail(source + ": directories are nested too deeply");
        if (::lstat(source.c_str(), &status) != 0) return broken(source);
        if (S_ISDIR(status.st_mode)) return add_directory(source, name, status, depth);
        if (S_ISLNK(status.st_mode)) return add_link(source, name, status);
        if (S_ISREG(status.st_mode)) return add_file(source, name, status);
        return {};  // devices, sockets and pipes stay here
    }

  private:
    Result<void> head(const Entry& entry) {
        if (archive_write_header(out_, entry.get()) < ARCHIVE_WARN) return broken(out_);
        return {};
    }

    static Entry entry_of(const std::string& name, const struct stat& status) {
        Entry entry(archive_entry_new());
        archive_entry_copy_stat(entry.get(), &status);
        archive_entry_set_pathname(entry.get(), name.c_str());
        return entry;
    }

    Result<void> add_directory(const std::string& source, const std::string& name, const struct stat& status,
                               int depth) {
        std::error_code error;
        std::vector<std::string> names;
        for (const auto& child : fs::directory_iterator(source, error))
            names.push_back(child.path().filename());
        if (error) return fail(source + ": " + error.message());
        std::sort(names.begin(), names.end());
        // The others' files make their directories.
        if (names.empty()) return head(entry_of(name, status));
        for (const std::string& child : names)
            if (auto done = add(source + "/" + child, name + "/" + child, depth + 1); !done) return done;
        return {};
    }

    Result<void> add_link(const std::string& source, const std::string& name, const struct stat& status) {
        std::error_code error;
        const fs::path to = fs::read_symlink(source, error);
        if (error) return fail(source + ": " + error.message());
        const Entry entry = entry_of(name, status);
        archive_entry_set_symlink(entry.get(), to.c_str());
        return head(entry);
    }

    Result<void> add_file(const std::string& source, const std::string& name, const struct stat& status) {
        const FileDescriptor file(::open(source.c_str(), O_RDONLY | O_CLOEXEC));
        if (file.get() < 0) return broken(source);
        if (auto done = head(entry_of(name, status)); !done) return done;
        std::array<char, kPiece> piece{};
        for (auto left = static_cast<std::uint64_t>(status.st_size); left > 0;) {
            const ssize_t count =
                ::read(file.get(), piece.data(), std::min<std::uint64_t>(left, piece.size()));
            if (count < 0) return broken(source);
            // A file that became shorter is filled up by the library.
            if (count == 0) break;
            if (archive_write_data(out_, piece.data(), static_cast<std::size_t>(count)) < 0)
                return broken(out_);
            left -= static_cast<std::uint64_t>(count);
        }
        return {};
    }

    archive* out_;
};

// The parts of a relative path; none when one leads out.
bool split_path(const std::string& path, std::vector<std::string>& parts) {
    for (const fs::path& part : fs::path(path)) {
        if (part == "..") return false;
        if (part != "." && part != "/" && !part.empty()) parts.push_back(part);
    }
    return true;
}

class Unpacker {
  public:
    Unpacker(archive* in, std::string prefix, std::string target)
        : in_(in), prefix_(std::move(prefix)), target_(std::move(target)) {}

    Result<Unpacked> run() {
        archive_entry* entry = nullptr;
        while (true) {
            const int result = archive_read_next_header(in_, &entry);
            if (result == ARCHIVE_EOF) return std::move(unpacked_);
            if (result < ARCHIVE_WARN) return broken(in_);
            if (auto done = take(entry); !done) return pass_on(done);
        }
    }

  private:
    void leave_out(const std::string& why) {
        if (unpacked_.warnings.size() < kMostWarnings) unpacked_.warnings.push_back("warning: " + why);
    }

    Result<void> take(archive_entry* entry) {
        const char* given = archive_entry_pathname(entry);
        std::string name = given == nullptr ? "" : given;
        while (name.starts_with('/')) name.erase(0, 1);
        if (!name.starts_with(prefix_)) return fail("tar contents corrupted");
        const std::string rest = name.substr(prefix_.size());
        std::vector<std::string> parts;
        // "/tmp/ab" does not lie in "/tmp/a".
        const bool is_inside =
            rest.empty() || rest.starts_with('/') || prefix_.empty() || prefix_.ends_with('/');
        if (!is_inside || !split_path(rest, parts)) {
            leave_out("file \"" + name + "\" is outside target destination, skipping");
            return {};
        }
        const auto kind = archive_entry_filetype(entry);
        if (kind == AE_IFLNK || archive_entry_hardlink(entry) != nullptr) {
            leave_out("skipping link: \"" + name + "\"");
            return {};
        }
        if (kind != AE_IFDIR && kind != AE_IFREG) return {};
        ++unpacked_.files;
        return kind == AE_IFDIR ? make_directory(parts) : write_file(parts, archive_entry_perm(entry));
    }

    // The directory of the target itself is the user's: its links are followed.
    Result<FileDescriptor> open_target() {
        std::error_code error;
        fs::create_directories(target_, error);
        FileDescriptor directory(::open(target_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (directory.get() < 0) return broken(target_);
        return directory;
    }

    // Opens, and makes, one directory after another below the target; a link in the way is refused.
    Result<FileDescriptor> open_below(const std::vector<std::string>& parts, std::size_t count) {
        auto directory = open_target();
        for (std::size_t i = 0; directory && i < count; ++i) {
            if (::mkdirat(directory->get(), parts[i].c_str(), 0755) != 0 && errno != EEXIST)
                return broken(parts[i]);
            FileDescriptor next(::openat(directory->get(), parts[i].c_str(),
                                         O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
            if (next.get() < 0) return broken(target_ + "/" + parts[i]);
            *directory = std::move(next);
        }
        return directory;
    }

    Result<void> make_directory(const std::vector<std::string>& parts) {
        const auto made = open_below(parts, parts.size());
        if (!made) return pass_on(made);
        return {};
    }

    Result<void> write_file(const std::vector<std::string>& parts, unsigned mode) {
        constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
        constexpr unsigned kPermissions = 0777;
        if (parts.empty()) {
            std::error_code error;
            const fs::path parent = fs::path(target_).parent_path();
            if (!parent.empty()) fs::create_directories(parent, error);
            return fill(FileDescriptor(::open(target_.c_str(), kFlags, mode & kPermissions)), target_);
        }
        const auto directory = open_below(parts, parts.size() - 1);
        if (!directory) return pass_on(directory);
        return fill(FileDescriptor(::openat(directory->get(), parts.back().c_str(), kFlags | O_NOFOLLOW,
                                            mode & kPermissions)),
                    target_ + "/" + parts.back());
    }

    Result<void> fill(FileDescriptor file, const std::string& name) {
        if (file.get() < 0) return broken(name);
        if (archive_read_data_into_fd(in_, file.get()) < ARCHIVE_WARN) return broken(in_);
        return {};
    }

    archive* in_;
    std::string prefix_;
    std::string target_;
    Unpacked unpacked_;
};

}  // namespace

Result<void> pack(int descriptor, const std::string& source, const std::string& name) {
    const Archive out(archive_write_new());
    archive_write_set_format_pax_restricted(out.get());
    archive_write_set_bytes_in_last_block(out.get(), 1);
    if (archive_write_open_fd(out.get(), descriptor) != ARCHIVE_OK) return broken(out.get());
    if (auto done = Packer(out.get()).add(source, name, 0); !done) return done;
    if (archive_write_close(out.get()) != ARCHIVE_OK) return broken(out.get());
    return {};
}

Result<Unpacked> unpack(int descriptor, const std::string& prefix, const std::string& target) {
    const Archive in(archive_read_new());
    archive_read_support_format_tar(in.get());
    archive_read_support_format_empty(in.get());
    if (archive_read_open_fd(in.get(), descriptor, kPiece) != ARCHIVE_OK) return broken(in.get());
    return Unpacker(in.get(), prefix, target).run();
}

}  // namespace keelson::cli::streams
