#include "cli/plugin_skeleton.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "cli/plugin_skeleton_kinds.h"

namespace keelson::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kManifest = R"(id: @ID@
name: @NAME@
kind: @KIND@
version: 1.0.0
description: What it is, in one line
abi: {minimum: 1, maximum: 1}
capabilities: [@CAPABILITIES@]
@SCHEMA@)";

constexpr const char* kCMake = R"(cmake_minimum_required(VERSION 3.25)
project(@NAME@ LANGUAGES CXX)

find_package(keelson-sdk REQUIRED)
keelson_add_plugin(@NAME@ SOURCES @FILE@.cpp MANIFEST @NAME@.yaml)
)";

constexpr const char* kReadme = R"(# @NAME@

A plugin of the kind @KIND@ for Keelson. With the SDK installed in `$SDK` (docs/plugins.md of Keelson says how):

    cmake -G Ninja -B build -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$SDK"
    cmake --build build
    $SDK/bin/keelson-plugin-check build/lib/keelson/plugins/@NAME@.so

To run it, copy `build/lib/keelson/plugins/@NAME@.so` and `@NAME@.yaml` to a directory of root's that keelsond takes plugins from
(`plugins.allowedDirectories` of its configuration), then:

    keelctl plugin add /path/of/@NAME@.yaml
    keelctl plugin describe @NAME@
@NOTE@)";

using Values = std::map<std::string, std::string>;

std::string filled(std::string text, const Values& values) {
    for (const auto& [name, value] : values)
        for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos; at += value.size())
            text.replace(at, name.size(), value);
    return text;
}

bool is_lower_or_digit(char character) {
    return std::islower(static_cast<unsigned char>(character)) != 0 ||
           std::isdigit(static_cast<unsigned char>(character)) != 0;
}

// "my-disk" gives "MyDisk".
std::string class_name(const std::string& name) {
    std::string result;
    bool begins = true;
    for (const char character : name) {
        if (character != '-')
            result +=
                begins ? static_cast<char>(std::toupper(static_cast<unsigned char>(character))) : character;
        begins = character == '-';
    }
    return result;
}

Result<void> check(const PluginSkeleton& wanted) {
    const std::string& name = wanted.name;
    const bool is_plain = !name.empty() && name.size() <= 63 && std::isalpha(name.front()) != 0 &&
                          name.back() != '-' && std::all_of(name.begin(), name.end(), [](char character) {
                              return is_lower_or_digit(character) || character == '-';
                          });
    if (!is_plain)
        return fail(
            "'" + name + "' is no name of a plugin: lower case letters, digits and dashes, a letter first",
            exit_usage);
    if (skeleton_kinds().contains(wanted.kind)) return {};
    std::string known;
    for (const auto& [kind, files] : skeleton_kinds()) known += (known.empty() ? "" : ", ") + kind;
    return fail("there are no plugins of the kind '" + wanted.kind + "', but of these: " + known, exit_usage);
}

Result<void> write(const fs::path& path, const std::string& text) {
    std::ofstream file(path, std::ios::binary);
    file << text << std::flush;
    if (!file) return fail(path.string() + ": " + std::strerror(errno));
    return {};
}

}  // namespace

Result<void> make_plugin_skeleton(const Settings& settings, const PluginSkeleton& wanted) {
    if (auto good = check(wanted); !good) return good;
    const SkeletonKind& kind = skeleton_kinds().at(wanted.kind);
    std::string file = wanted.name;
    std::replace(file.begin(), file.end(), '-', '_');
    const Values values = {{"@NAME@", wanted.name},
                           {"@KIND@", wanted.kind},
                           {"@FILE@", file},
                           {"@ID@", wanted.vendor + "." + wanted.name},
                           {"@CLASS@", class_name(wanted.name)},
                           {"@CAPABILITIES@", kind.capabilities},
                           {"@NOTE@", kind.note}};
    const fs::path directory = fs::path(wanted.directory) / wanted.name;
    std::error_code error;
    if (!fs::create_directory(directory, error))
        return fail(directory.string() + ": " + (error ? error.message() : "it is there already"));
    const std::string manifest = filled(kManifest, {{"@SCHEMA@", kind.schema}});
    Json made{{"directory", directory.string()}, {"files", Json::array()}};
    for (const auto& [name, text] : {std::pair<std::string, std::string>{file + ".cpp", kind.source},
                                     {wanted.name + ".yaml", manifest},
                                     {"CMakeLists.txt", kCMake},
                                     {"README.md", kReadme}}) {
        if (auto written = write(directory / name, filled(text, values)); !written) return written;
        made["files"].push_back(name);
    }
    if (settings.wants_document())
        print_document(text_of(made), settings.format);
    else
        print("made " + directory.string() + ": README.md in it says how to go on\n");
    return {};
}

}  // namespace keelson::cli
