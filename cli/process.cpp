#include "cli/process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "kernel/base/files.h"

namespace keelson::cli {
namespace {

constexpr std::size_t kLongestOutput = 64u << 20;

std::vector<std::string> environment_with(const std::map<std::string, std::string>& more) {
    std::vector<std::string> all;
    for (char** at = ::environ; at != nullptr && *at != nullptr; ++at) {
        const std::string entry = *at;
        if (!more.contains(entry.substr(0, entry.find('=')))) all.push_back(entry);
    }
    for (const auto& [name, value] : more) all.push_back(name + "=" + value);
    return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> list;
    for (std::string& text : texts) list.push_back(text.data());
    list.push_back(nullptr);
    return list;
}

std::string read_all(int descriptor) {
    std::string text;
    std::array<char, 65536> piece{};
    for (;;) {
        const ssize_t count = ::read(descriptor, piece.data(), piece.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return text;
        if (text.size() < kLongestOutput) text.append(piece.data(), static_cast<std::size_t>(count));
    }
}

int code_of(pid_t child) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Result<Ended> run_program(const Program& program) {
    if (program.words.empty()) return fail("there is no program to run");
    std::vector<std::string> words = program.words;
    std::vector<std::string> environment = environment_with(program.environment);
    int ends[2] = {-1, -1};
    if (program.is_captured && ::pipe2(ends, O_CLOEXEC) != 0) return fail(std::strerror(errno));
    base::FileDescriptor reading(ends[0]);
    base::FileDescriptor writing(ends[1]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (program.is_captured) posix_spawn_file_actions_adddup2(&actions, writing.get(), STDOUT_FILENO);
    pid_t child = 0;
    const int error = ::posix_spawnp(&child, words[0].c_str(), &actions, nullptr, pointers(words).data(),
                                     pointers(environment).data());
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) return fail(words[0] + " cannot be run: " + std::strerror(error));
    writing.reset();
    Ended ended;
    if (program.is_captured) ended.output = read_all(reading.get());
    ended.code = code_of(child);
    return ended;
}

std::vector<std::string> split_words(const std::string& line) {
    std::vector<std::string> words;
    std::string word;
    bool has_word = false;
    char quote = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char letter = line[i];
        if (letter == '\\' && quote != '\'' && i + 1 < line.size()) {
            word += line[++i];
            has_word = true;
        } else if (quote != 0) {
            if (letter == quote)
                quote = 0;
            else
                word += letter;
        } else if (letter == '"' || letter == '\'') {
            quote = letter;
            has_word = true;
        } else if (letter == ' ' || letter == '\t') {
            if (has_word) words.push_back(std::exchange(word, ""));
            has_word = false;
        } else {
            word += letter;
            has_word = true;
        }
    }
    if (has_word) words.push_back(word);
    return words;
}

Result<TemporaryDirectory> TemporaryDirectory::make(const std::string& prefix) {
    const char* place = std::getenv("TMPDIR");
    std::string path =
        std::string(place == nullptr || *place == '\0' ? "/tmp" : place) + "/" + prefix + "XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) return fail(path + ": " + std::strerror(errno));
    return TemporaryDirectory(path);
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace keelson::cli
