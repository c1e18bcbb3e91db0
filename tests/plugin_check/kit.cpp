#include "kit.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace keelson::check {
namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

std::string read_all(std::FILE* file) {
    std::string text;
    char buffer[4096];
    std::rewind(file);
    for (std::size_t size; (size = std::fread(buffer, 1, sizeof buffer, file)) > 0;)
        text.append(buffer, size);
    return text;
}

[[noreturn]] void become_kit(const std::vector<std::string>& arguments, int output, int errors) {
    ::dup2(output, STDOUT_FILENO);
    ::dup2(errors, STDERR_FILENO);
    std::vector<char*> pointers = {const_cast<char*>(KEELSON_CHECK_PROGRAM)};
    for (const std::string& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
    pointers.push_back(nullptr);
    ::execv(KEELSON_CHECK_PROGRAM, pointers.data());
    ::_exit(127);
}

}  // namespace

KitRun run_kit(const std::vector<std::string>& arguments) {
    const File output(std::tmpfile(), std::fclose);
    const File errors(std::tmpfile(), std::fclose);
    if (!output || !errors) throw std::runtime_error("no temporary files");
    const pid_t process = ::fork();
    if (process < 0) throw std::runtime_error("no process");
    if (process == 0) become_kit(arguments, ::fileno(output.get()), ::fileno(errors.get()));
    int status = 0;
    if (::waitpid(process, &status, 0) != process) throw std::runtime_error("the kit is gone");
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_all(output.get()), read_all(errors.get())};
}

std::string plugin_path(const std::string& name) {
    return KEELSON_BROKEN_PLUGINS "/" + name + ".so";
}

std::set<std::string> cases_with(const std::string& output, const std::string& result) {
    std::set<std::string> found;
    const auto document = nlohmann::json::parse(output);
    for (const auto& one : document.at("cases")) {
        if (one.at("result") == result) found.insert(one.at("id").get<std::string>());
    }
    return found;
}

std::string reason_of(const std::string& output, const std::string& id) {
    const auto document = nlohmann::json::parse(output);
    for (const auto& one : document.at("cases")) {
        if (one.at("id") == id) return one.value("reason", "");
    }
    return {};
}

}  // namespace keelson::check
