#include "kernel/node/volume_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <set>
#include <string_view>
#include <vector>

#include "kernel/base/files.h"
#include "kernel/node/safe_files.h"
#include "kernel/object/names.h"

namespace keelson::node {
namespace {

using base::FileDescriptor;
using base::Reason;
using base::Result;
using base::Status;

constexpr std::string_view kData = "..data";
constexpr std::string_view kNextData = "..data_tmp";
constexpr std::size_t kLongestFile = 16u << 20;

Status failure(std::string_view doing, const std::string& path) {
    return base::system_error(std::string(doing) + " " + path, errno);
}

// Nothing that leads out of the volume or among the writer's own names.
Result<void> check_path(const std::string& path) {
    const auto invalid = [&](std::string_view why) {
        return Status(Reason::invalid, "invalid path \"" + path + "\": " + std::string(why));
    };
    if (path.empty() || path.starts_with('/')) return invalid("must be relative");
    if (path.starts_with("..")) return invalid("must not start with '..'");
    for (const std::string_view part : object::split(path, '/'))
        if (part == ".." || part == "." || part.empty()) return invalid("must not contain '..', '.' or '//'");
    return {};
}

std::string link_target(int directory, std::string_view name) {
    char buffer[512];
    const ssize_t length = ::readlinkat(directory, std::string(name).c_str(), buffer, sizeof buffer);
    return length < 0 ? std::string() : std::string(buffer, static_cast<std::size_t>(length));
}

// One directory of files as a whole.
class Writer {
  public:
    Writer(std::string path, const VolumeFiles& files, std::optional<gid_t> group)
        : path_(std::move(path)), files_(files), group_(group) {}

    Result<bool> write(base::WallTime now) {
        for (const auto& [path, file] : files_) KEELSON_TRY_VOID(check_path(path));
        KEELSON_TRY(directory_, base::open_file(path_, O_RDONLY | O_DIRECTORY));
        const std::string before = link_target(directory_.get(), kData);
        if (!before.empty() && is_as_wanted(before)) {
            KEELSON_TRY_VOID(link_names());
            return false;
        }
        if (group_) KEELSON_TRY_VOID(own(directory_.get(), path_, 02755));
        KEELSON_TRY(const std::string next, write_next(now));
        KEELSON_TRY_VOID(swap(next));
        KEELSON_TRY_VOID(link_names());
        KEELSON_TRY_VOID(remove_stale(next));
        return true;
    }

  private:
    [[nodiscard]] mode_t mode_of(const VolumeFile& file) const {
        constexpr mode_t kGroupReads = 0440;
        return group_ ? file.mode | kGroupReads : file.mode;
    }

    [[nodiscard]] bool is_as_wanted(const std::string& data) const {
        std::set<std::string> present;
        if (!collect(path_ + "/" + data, "", present) || present.size() != files_.size()) return false;
        for (const auto& [path, file] : files_)
            if (!present.contains(path) || !is_same(fmt::format("{}/{}/{}", path_, data, path), file))
                return false;
        return true;
    }

    static bool collect(const std::string& directory, const std::string& prefix,
                        std::set<std::string>& files) {
        struct Close {
            void operator()(DIR* opened) const { ::closedir(opened); }
        };
        const std::unique_ptr<DIR, Close> listing(::opendir(directory.c_str()));
        if (!listing) return false;
        while (const dirent* entry = ::readdir(listing.get())) {
            const std::string name(static_cast<const char*>(entry->d_name));
            if (name == "." || name == "..") continue;
            struct stat info {};
            if (::lstat((fmt::format("{}/{}", directory, name)).c_str(), &info) != 0) return false;
            if (!S_ISDIR(info.st_mode))
                files.insert(prefix + name);
            else if (!collect(fmt::format("{}/{}", directory, name), fmt::format("{}{}/", prefix, name),
                              files))
                return false;
        }
        return true;
    }

    [[nodiscard]] bool is_same(const std::string& path, const VolumeFile& file) const {
        struct stat info {};
        if (::lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
        if ((info.st_mode & 07777) != mode_of(file)) return false;
        if ((group_ && info.st_gid != *group_) || (file.owner && info.st_uid != *file.owner)) return false;
        const auto content = base::read_file(path, kLongestFile);
        return content && *content == file.content;
    }

    // Owner, group and mode, whatever the process's mask is.
    [[nodiscard]] Result<void> own(int descriptor, const std::string& path, mode_t mode,
                                   std::optional<uid_t> owner = std::nullopt) const {
        constexpr auto kSame = static_cast<uid_t>(-1);
        if ((owner || group_) && ::fchown(descriptor, owner.value_or(kSame), group_.value_or(kSame)) != 0)
            return failure("changing the owner of", path);
        if (::fchmod(descriptor, mode) != 0) return failure("changing the mode of", path);
        return {};
    }

    Result<std::string> write_next(base::WallTime now) {
        const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
        std::string path = path_ + fmt::format("/..{:%Y_%m_%d_%H_%M_%S}.XXXXXX",
                                               fmt::gmtime(seconds.time_since_epoch().count()));
        if (!::mkdtemp(path.data())) return failure("making directory", path);
        const std::string name = path.substr(path.rfind('/') + 1);
        auto written = write_files(path);
        if (!written) {
            (void)remove_tree(path).has_value();
            return written.error();
        }
        return name;
    }

    Result<void> write_files(const std::string& next) {
        const mode_t directory_mode = group_ ? 02755 : 0755;
        KEELSON_TRY(const FileDescriptor root, base::open_file(next, O_RDONLY | O_DIRECTORY));
        KEELSON_TRY_VOID(own(root.get(), next, directory_mode));
        for (const auto& [path, file] : files_) {
            for (std::size_t slash = path.find('/'); slash != std::string::npos;
                 slash = path.find('/', slash + 1)) {
                const std::string parent = fmt::format("{}/{}", next, path.substr(0, slash));
                if (::mkdir(parent.c_str(), 0755) != 0 && errno != EEXIST)
                    return failure("making directory", parent);
                KEELSON_TRY(const FileDescriptor made, base::open_file(parent, O_RDONLY | O_DIRECTORY));
                KEELSON_TRY_VOID(own(made.get(), parent, directory_mode));
            }
            const std::string whole = fmt::format("{}/{}", next, path);
            KEELSON_TRY(const FileDescriptor made, base::open_file(whole, O_WRONLY | O_CREAT | O_EXCL, 0600));
            KEELSON_TRY_VOID(base::write_at(made.get(), file.content, 0, whole));
            KEELSON_TRY_VOID(own(made.get(), whole, mode_of(file), file.owner));
        }
        return {};
    }

    Result<void> swap(const std::string& next) {
        const std::string link(kNextData), data(kData);
        if (::unlinkat(directory_.get(), link.c_str(), 0) != 0 && errno != ENOENT)
            return failure("removing", path_ + "/" + link);
        if (::symlinkat(next.c_str(), directory_.get(), link.c_str()) != 0)
            return failure("linking", path_ + "/" + link);
        if (::renameat(directory_.get(), link.c_str(), directory_.get(), data.c_str()) != 0)
            return failure("replacing", path_ + "/" + data);
        return {};
    }

    [[nodiscard]] std::set<std::string> visible_names() const {
        std::set<std::string> names;
        for (const auto& [path, file] : files_) names.insert(path.substr(0, path.find('/')));
        return names;
    }

    Result<void> link_names() {
        for (const std::string& name : visible_names()) {
            const std::string target = std::string(kData) + "/" + name;
            if (::symlinkat(target.c_str(), directory_.get(), name.c_str()) != 0 && errno != EEXIST)
                return failure("linking", path_ + "/" + name);
        }
        return {};
    }

    [[nodiscard]] bool is_own(const std::string& name) const {
        return name.starts_with("..") || link_target(directory_.get(), name).starts_with("..data/");
    }

    // Links of files that there are no more, and data of earlier times. What others have made stays: a
    // directory on which another volume is mounted.
    Result<void> remove_stale(const std::string& present) {
        std::set<std::string> wanted = visible_names();
        wanted.insert(std::string(kData));
        wanted.insert(present);
        struct Close {
            void operator()(DIR* opened) const { ::closedir(opened); }
        };
        std::vector<std::string> stale;
        {
            const std::unique_ptr<DIR, Close> listing(::opendir(path_.c_str()));
            if (!listing) return failure("reading", path_);
            while (const dirent* entry = ::readdir(listing.get())) {
                std::string name(static_cast<const char*>(entry->d_name));
                if (name == "." || name == ".." || wanted.contains(name) || !is_own(name)) continue;
                stale.push_back(std::move(name));
            }
        }
        for (const std::string& name : stale) KEELSON_TRY_VOID(remove_tree(path_ + "/" + name));
        return {};
    }

    std::string path_;
    const VolumeFiles& files_;
    std::optional<gid_t> group_;
    FileDescriptor directory_;
};

}  // namespace

Result<bool> write_volume_files(const std::string& directory, const VolumeFiles& files,
                                std::optional<gid_t> group, base::WallTime now) {
    return Writer(directory, files, group).write(now);
}

}  // namespace keelson::node
