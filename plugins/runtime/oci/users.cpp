#include "users.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <sstream>

#include "files.h"

namespace keelson::oci {
namespace {

constexpr std::size_t largest_file = 4 << 20;
constexpr int most_attempts = 1000;

std::optional<std::uint32_t> number_in(const std::string& text) {
    std::uint32_t value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool good = failure == std::errc() && end == text.data() + text.size() && !text.empty() &&
                      value != std::numeric_limits<std::uint32_t>::max();
    return good ? std::optional(value) : std::nullopt;
}

std::uint32_t number_in(std::int64_t value, const char* field) {
    if (value < 0 || value >= std::numeric_limits<std::uint32_t>::max())
        throw Error(Code::invalid, std::string(field) + " is no id of a user or group", field);
    return std::uint32_t(value);
}

using Line = std::vector<std::string>;

// Below the container's root directory, wherever links in it lead; no descriptor, with errno, when it cannot
// be opened. The kernel asks for another try (EAGAIN) when anything on the machine was renamed or mounted
// while it followed a "..", so a busy machine needs some.
Descriptor open_in_root(int root, const char* path) {
    open_how how{};
    how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    for (int attempt = 0; attempt < most_attempts; ++attempt) {
        const auto opened = int(::syscall(SYS_openat2, root, path, &how, sizeof how));
        if (opened >= 0 || (errno != EAGAIN && errno != EINTR)) return Descriptor(opened);
    }
    return {};
}

// Nothing for an image without that file; a pipe, a device or a way that leads nowhere is no such file. What
// cannot be read for another reason is an error: taken for absent, it would give the process other groups.
std::string image_file(int root, const char* path) {
    const std::string reading = std::string("reading /") + path + " of the image";
    const Descriptor file = open_in_root(root, path);
    if (!file) {
        if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENXIO || errno == ENODEV)
            return {};
        throw system_error(reading);
    }
    struct stat about {};
    if (::fstat(file.get(), &about) != 0) throw system_error(reading);
    if (!S_ISREG(about.st_mode)) return {};
    if (std::size_t(about.st_size) > largest_file)
        throw Error(Code::invalid, reading + ": it is larger than 4 MiB");
    auto text = read_file(file.get(), largest_file);
    if (!text) throw system_error(reading);
    return *std::move(text);
}

// The lines of a file of the image, in their parts.
std::vector<Line> read_lines(int root, const char* path, std::size_t parts) {
    std::vector<Line> lines;
    std::stringstream text(image_file(root, path));
    for (std::string one; std::getline(text, one);) {
        Line line;
        std::stringstream stream(one);
        for (std::string part; std::getline(stream, part, ':');) line.push_back(part);
        line.resize(std::max(line.size(), parts));
        lines.push_back(std::move(line));
    }
    return lines;
}

class Database {
  public:
    explicit Database(int root)
        : users_(read_lines(root, "etc/passwd", 7)), groups_(read_lines(root, "etc/group", 4)) {}

    [[nodiscard]] const Line* user(const std::string& name) const { return find(users_, name); }
    [[nodiscard]] const Line* user(std::uint32_t id) const {
        for (const Line& line : users_)
            if (number_in(line[2]) == id) return &line;
        return nullptr;
    }
    [[nodiscard]] std::uint32_t group(const std::string& text) const {
        if (const Line* line = find(groups_, text))
            if (const auto id = number_in((*line)[2])) return *id;
        if (const auto id = number_in(text)) return *id;
        throw Error(Code::invalid, "the image has no group '" + text + "' in its /etc/group");
    }
    void add_groups_of(const std::string& name, std::vector<std::uint32_t>& groups) const {
        for (const Line& line : groups_) {
            std::stringstream members(line[3]);
            for (std::string member; std::getline(members, member, ',');) {
                const auto id = member == name ? number_in(line[2]) : std::nullopt;
                if (id) groups.push_back(*id);
            }
        }
    }

  private:
    static const Line* find(const std::vector<Line>& lines, const std::string& name) {
        for (const Line& line : lines)
            if (!name.empty() && line[0] == name) return &line;
        return nullptr;
    }
    std::vector<Line> users_;
    std::vector<Line> groups_;
};

// A name, or a number as text; answers its line, if it has one.
const Line* set_user(User& user, const Database& database, const std::string& text) {
    const Line* line = database.user(text);
    if (line != nullptr && number_in((*line)[2])) {
        user.user = *number_in((*line)[2]);
        return line;
    }
    const auto id = number_in(text);
    if (!id)
        throw Error(Code::invalid, "the image has no user '" + text + "' in its /etc/passwd",
                    "security.userName");
    user.user = *id;
    return database.user(*id);
}

}  // namespace

User resolve_user(const runtime::Security& security, const std::string& image_user, int root) {
    const Database database(root);
    User user;
    const Line* line = nullptr;
    std::string group_text;
    if (security.user) {
        user.user = number_in(*security.user, "security.user");
        line = database.user(user.user);
    } else {
        const std::string& text = security.user_name.empty() ? image_user : security.user_name;
        const std::size_t colon = text.find(':');
        if (colon != std::string::npos) group_text = text.substr(colon + 1);
        const std::string name = text.substr(0, colon);
        line = name.empty() ? database.user(0) : set_user(user, database, name);
    }
    if (security.group) {
        user.group = number_in(*security.group, "security.group");
    } else if (!group_text.empty()) {
        user.group = database.group(group_text);
    } else if (line != nullptr) {
        user.group = number_in((*line)[3]).value_or(0);
    }
    user.groups.push_back(user.group);
    for (const std::int64_t group : security.supplemental_groups)
        user.groups.push_back(number_in(group, "security.supplementalGroups"));
    if (line != nullptr && security.supplemental_groups_policy != "Strict")
        database.add_groups_of((*line)[0], user.groups);
    std::ranges::sort(user.groups);
    user.groups.erase(std::unique(user.groups.begin(), user.groups.end()), user.groups.end());
    if (line != nullptr && !(*line)[5].empty()) user.home = (*line)[5];
    return user;
}

}  // namespace keelson::oci
