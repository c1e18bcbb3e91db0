#include "kernel/node/pod_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "kernel/base/files.h"

namespace keelson::node {
namespace {

using base::Result;
using base::Task;

constexpr std::size_t kLongestMessage = 4096;
constexpr std::size_t kLongestLogPart = 2048;
constexpr std::size_t kMostLogLines = 80;

Result<void> keep_files(const client::ObjectPointer& pod, const PodFiles& files, const DnsSettings& dns) {
    KEELSON_TRY_VOID(base::make_directory(files.directory + "/containers", 0750));
    KEELSON_TRY_VOID(base::make_directory(files.log_directory, 0755));
    return write_pod_files(pod->root(), files.directory, files.names, files.addresses, dns);
}

Result<void> remove_tree(const std::string& path) {
    std::error_code problem;
    std::filesystem::remove_all(path, problem);
    if (problem) return base::system_error("cannot remove " + path, problem.value());
    return base::ok();
}

// Without following what a container may have put there instead.
std::string read_tail(const std::string& path, std::size_t limit_bytes) {
    auto file = base::open_file(path, O_RDONLY | O_NONBLOCK);
    struct stat info {};
    if (!file || ::fstat(file->get(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
    const auto size = static_cast<std::uint64_t>(info.st_size);
    const std::uint64_t count = std::min<std::uint64_t>(size, limit_bytes);
    std::string text(count, '\0');
    if (!base::read_at(file->get(), text.data(), text.size(), size - count, path)) return {};
    return text;
}

// The last lines of a log, without the time and the stream that each begins with.
std::string last_words(const std::string& log_path) {
    const std::string text = read_tail(log_path, 4 * kLongestLogPart);
    std::vector<std::string_view> lines;
    std::string_view rest = text;
    while (!rest.empty()) {
        std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        for (int fields = 0; fields < 3 && !line.empty(); ++fields)
            line.remove_prefix(std::min(line.find(' '), line.size() - 1) + 1);
        lines.push_back(line);
    }
    std::string result;
    std::size_t count = 0;
    for (auto line = lines.rbegin(); line != lines.rend() && count < kMostLogLines; ++line, ++count) {
        if (result.size() + line->size() + 1 > kLongestLogPart) break;
        result.insert(0, 1, '\n').insert(0, *line);
    }
    return result;
}

}  // namespace

Task<Result<void>> keep_pod_files(client::ObjectPointer pod, PodFiles files, DnsSettings dns) {
    auto work = [pod = std::move(pod), files = std::move(files), dns = std::move(dns)] {
        return keep_files(pod, files, dns);
    };
    auto doing = base::blocking(std::move(work));
    co_return co_await doing;
}

Task<Result<void>> remove_pod_files(std::string directory, std::string log_directory) {
    auto work = [directory = std::move(directory),
                 log_directory = std::move(log_directory)]() -> Result<void> {
        KEELSON_TRY_VOID(remove_tree(directory));
        return remove_tree(log_directory);
    };
    auto doing = base::blocking(std::move(work));
    co_return co_await doing;
}

std::string termination_message(const std::string& path, const std::string& log_path) {
    std::string message = read_tail(path, kLongestMessage);
    if (message.empty() && !log_path.empty()) message = last_words(log_path);
    return message;
}

}  // namespace keelson::node
