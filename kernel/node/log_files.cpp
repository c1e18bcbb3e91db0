#include "kernel/node/log_files.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "kernel/node/log_reader.h"

namespace keelson::node {
namespace {

using base::Result;

// "20260102-030405".
bool is_time_stamp(std::string_view text) {
    constexpr std::size_t kLength = 15, kDash = 8;
    if (text.size() != kLength) return false;
    for (std::size_t at = 0; at < kLength; ++at)
        if (at == kDash ? text[at] != '-' : text[at] < '0' || text[at] > '9') return false;
    return true;
}

std::vector<std::string> earlier_files(const std::string& path) {
    const std::string directory = base::directory_of(path);
    const std::string prefix = path.substr(path.rfind('/') + 1) + ".";
    std::vector<std::string> found;
    std::error_code failed;
    for (std::filesystem::directory_iterator at(directory, failed), end; !failed && at != end;
         at.increment(failed)) {
        const std::string name = at->path().filename();
        if (name.starts_with(prefix) && is_time_stamp(std::string_view(name).substr(prefix.size())))
            found.push_back(at->path());
    }
    std::sort(found.begin(), found.end());
    return found;
}

Result<void> remove_oldest(const std::string& path, int maximum_files) {
    const std::vector<std::string> earlier = earlier_files(path);
    const auto kept = static_cast<std::size_t>(std::max(maximum_files - 1, 0));
    if (earlier.size() <= kept) return {};
    for (std::size_t index = 0; index < earlier.size() - kept; ++index)
        KEELSON_TRY_VOID(base::remove_file(earlier[index]));
    return {};
}

}  // namespace

std::vector<std::string> log_files(const std::string& path) {
    std::vector<std::string> all = earlier_files(path);
    if (base::exists(path)) all.push_back(path);
    return all;
}

bool parse_log_line(std::string_view text, LogLine& line) {
    const auto take_word = [&text](std::string_view& word) {
        const std::size_t space = text.find(' ');
        if (space == std::string_view::npos) return false;
        word = text.substr(0, space);
        text.remove_prefix(space + 1);
        return true;
    };
    std::string_view tags;
    if (!take_word(line.time) || !take_word(line.stream) || !take_word(tags)) return false;
    if (line.stream != "stdout" && line.stream != "stderr") return false;
    // More tags may follow the first one after a colon.
    line.is_partial = tags == "P" || tags.starts_with("P:");
    if (!line.is_partial && tags != "F" && !tags.starts_with("F:")) return false;
    line.text = text;
    return true;
}

Result<bool> rotate_log(const std::string& path, std::uint64_t maximum_bytes, int maximum_files,
                        base::WallTime now) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) {
        if (errno != ENOENT) return base::system_error("looking at " + path, errno);
        // Renamed, but the runtime has not been told: it still writes to the earlier one.
        return !earlier_files(path).empty();
    }
    if (static_cast<std::uint64_t>(info.st_size) <= maximum_bytes) return false;
    const auto seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
    const std::string renamed = fmt::format("{}.{:%Y%m%d-%H%M%S}", path, fmt::gmtime(seconds));
    if (::syscall(SYS_renameat2, AT_FDCWD, path.c_str(), AT_FDCWD, renamed.c_str(), RENAME_NOREPLACE) != 0) {
        // Twice in one second: the next time will do.
        if (errno == EEXIST) return false;
        return base::system_error("renaming " + path, errno);
    }
    KEELSON_TRY_VOID(remove_oldest(path, maximum_files));
    return true;
}

}  // namespace keelson::node
