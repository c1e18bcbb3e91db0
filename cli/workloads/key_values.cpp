#include "cli/workloads/key_values.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "cli/print/go_text.h"
#include "kernel/base/files.h"
#include "kernel/object/names.h"

namespace keelson::cli::kube {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kSpaces = " \t\r";

class Reader {
  public:
    explicit Reader(std::string what) : what_(std::move(what)) {}

    Result<void> add(const std::string& key, std::string value) {
        const auto problems = object::is_config_map_key(key);
        if (!problems.empty())
            return fail("\"" + key + "\" is not a valid key name for a " + what_.substr(0, what_.find(' ')) +
                        ": " + object::join_messages(problems));
        if (!data_.emplace(key, std::move(value)).second)
            return fail("cannot add key \"" + key +
                        "\", another key by that name already exists in Data for " + what_);
        return {};
    }

    Result<void> add_literal(const std::string& literal) {
        const std::size_t equals = literal.find('=');
        if (equals == std::string::npos || equals == 0)
            return fail("invalid literal source " + literal + ", expected key=value");
        std::string value = literal.substr(equals + 1);
        const bool is_quoted = value.size() > 1 && (value.front() == '"' || value.front() == '\'') &&
                               value.back() == value.front();
        if (is_quoted) value = value.substr(1, value.size() - 2);
        return add(literal.substr(0, equals), std::move(value));
    }

    Result<void> add_file(const std::string& source) {
        const std::size_t equals = source.find('=');
        if (equals == 0) return fail("key name for file path " + source.substr(1) + " missing");
        if (equals != std::string::npos && equals + 1 == source.size())
            return fail("file path for key name " + source.substr(0, equals) + " missing");
        const bool has_key = equals != std::string::npos;
        const std::string path = has_key ? source.substr(equals + 1) : source;
        std::error_code error;
        const auto status = fs::status(path, error);
        if (!fs::exists(status)) return fail("error reading " + path + ": no such file or directory");
        if (fs::is_directory(status)) {
            if (has_key) return fail("cannot give a key name for a directory path");
            return add_directory(path);
        }
        auto content = read_whole_file(path);
        if (!content) return pass_on(content);
        return add(has_key ? source.substr(0, equals) : fs::path(path).filename().string(),
                   std::move(*content));
    }

    Result<void> add_env_file(const std::string& path) {
        const auto content = read_whole_file(path);
        if (!content) return pass_on(content);
        std::string_view rest = *content;
        if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
        while (!rest.empty()) {
            const std::size_t end = std::min(rest.find('\n'), rest.size());
            if (auto done = add_env_line(rest.substr(0, end)); !done) return done;
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
        return {};
    }

    std::map<std::string, std::string> take() { return std::move(data_); }

  private:
    // Only the regular files of the directory itself.
    Result<void> add_directory(const std::string& path) {
        std::vector<std::string> names;
        std::error_code error;
        for (const auto& entry : fs::directory_iterator(path, error))
            if (entry.is_regular_file() && !entry.is_symlink()) names.push_back(entry.path().filename());
        if (error) return fail("error listing files in " + path + ": " + error.message());
        std::sort(names.begin(), names.end());
        for (const std::string& name : names) {
            auto content = read_whole_file(path + "/" + name);
            if (!content) return pass_on(content);
            if (auto done = add(name, std::move(*content)); !done) return done;
        }
        return {};
    }

    // KEY=VALUE, a comment, or KEY: the value of this process's environment.
    Result<void> add_env_line(std::string_view line) {
        line.remove_prefix(std::min(line.find_first_not_of(kSpaces), line.size()));
        while (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty() || line.starts_with('#')) return {};
        const std::size_t equals = line.find('=');
        const std::string key(line.substr(0, equals));
        const auto problems = object::is_environment_name(key);
        if (!problems.empty())
            return fail("\"" + key + "\" is not a valid key name: " + object::join_messages(problems));
        if (equals != std::string_view::npos) return add(key, std::string(line.substr(equals + 1)));
        const char* value = std::getenv(key.c_str());
        return add(key, value == nullptr ? "" : value);
    }

    std::string what_;
    std::map<std::string, std::string> data_;
};

}  // namespace

void add_data_flags(Flags& flags, DataSources& sources) {
    flags.array("from-file", sources.files,
                "A file, with a key before it if wanted (KEY=FILE), or a directory for all its files");
    flags.array("from-literal", sources.literals, "KEY=VALUE");
    flags.array("from-env-file", sources.env_files, "A file of lines KEY=VALUE");
}

Result<std::string> read_whole_file(const std::string& path) {
    auto content = base::read_file(path);
    if (!content)
        return fail("open " + path + ": " +
                    (errno == ENOENT ? "no such file or directory" : content.error().message()));
    return std::move(*content);
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        std::size_t bytes = 0;
        const auto code = printing::first_character(text, bytes);
        if (code == 0xFFFD && bytes == 1) return false;
        text.remove_prefix(bytes);
    }
    return true;
}

Result<std::map<std::string, std::string>> read_data(const DataSources& sources, const std::string& what) {
    Reader reader(what);
    if (!sources.env_files.empty() && (!sources.files.empty() || !sources.literals.empty()))
        return fail("from-env-file cannot be combined with from-file or from-literal");
    for (const std::string& file : sources.files)
        if (auto done = reader.add_file(file); !done) return pass_on(done);
    for (const std::string& literal : sources.literals)
        if (auto done = reader.add_literal(literal); !done) return pass_on(done);
    for (const std::string& file : sources.env_files)
        if (auto done = reader.add_env_file(file); !done) return pass_on(done);
    return reader.take();
}

}  // namespace keelson::cli::kube
