#include "cli/plugin_skeleton.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include "cli/output.h"

namespace keelson::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kVolume = R"(#include <filesystem>
#include <keelson/volume.hpp>

namespace fs = std::filesystem;
namespace volume = keelson::volume;

// Gives each pod an empty directory. keelson/volume.h says what every method has to do.
class @CLASS@ : public keelson::VolumePlugin {
  public:
    explicit @CLASS@(keelson::Host host) : host_(host) {}

    volume::Created create(const volume::Create& request) {
        return {request.name, request.capacity_bytes, {}, {}};
    }

    void remove(const volume::Remove& /*request*/) {}

    void publish(const volume::Publish& request) {
        fs::create_directories(request.path);
        host_.info("made " + request.path + " for " + request.pod.namespace_ + "/" + request.pod.name);
    }

    void unpublish(const volume::Unpublish& request) { fs::remove_all(request.path); }

  private:
    keelson::Host host_;
};

KEELSON_PLUGIN(@CLASS@, "@ID@", "1.0.0")
)";

constexpr const char* kAuth = R"(#include <keelson/auth.hpp>

namespace authentication = keelson::authentication;

// Knows one token, that of its configuration. keelson/auth.h says what the method has to do.
class @CLASS@ : public keelson::AuthenticatorPlugin {
  public:
    @CLASS@(keelson::Host /*host*/, const keelson::Json& configuration)
        : token_(configuration.value("token", "")), username_(configuration.value("username", "")) {}

    authentication::Authenticated authenticate(const authentication::Authenticate& request) {
        authentication::Authenticated answer;
        if (token_.empty() || request.token != token_) return answer;
        answer.authenticated = true;
        answer.user = authentication::User{username_, "", {}, {}};
        return answer;
    }

  private:
    std::string token_;
    std::string username_;
};

KEELSON_PLUGIN(@CLASS@, "@ID@", "1.0.0")
)";

constexpr const char* kVolumeSchema = R"(configSchema:
  type: object
  additionalProperties: false
)";

constexpr const char* kAuthSchema = R"(configSchema:
  type: object
  additionalProperties: false
  properties:
    token: {type: string, minLength: 8}
    username: {type: string, minLength: 1}
)";

constexpr const char* kManifest = R"(id: @ID@
name: @NAME@
kind: @KIND@
version: 1.0.0
description: What it is, in one line
abi: {minimum: 1, maximum: 1}
capabilities: [@CAPABILITY@]
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
)";

struct Kind {
    const char* source;
    const char* capability;
    const char* schema;
};
const std::map<std::string, Kind> kKinds = {
    {"auth", {kAuth, "keelson.auth.authenticator/0", kAuthSchema}},
    {"volume", {kVolume, "keelson.volume/0", kVolumeSchema}},
};

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
    if (!kKinds.contains(wanted.kind))
        return fail("there is no skeleton of the kind '" + wanted.kind +
                        "', but of auth and volume; for the others begin with docs/plugins.md and the "
                        "headers of the SDK",
                    exit_usage);
    return {};
}

Result<void> write(const fs::path& path, const std::string& text) {
    std::ofstream file(path, std::ios::binary);
    file << text << std::flush;
    if (!file) return fail(path.string() + ": " + std::strerror(errno));
    return {};
}

}  // namespace

Result<void> make_plugin_skeleton(const PluginSkeleton& wanted) {
    if (auto good = check(wanted); !good) return good;
    const Kind& kind = kKinds.at(wanted.kind);
    std::string file = wanted.name;
    std::replace(file.begin(), file.end(), '-', '_');
    const Values values = {{"@NAME@", wanted.name},
                           {"@KIND@", wanted.kind},
                           {"@FILE@", file},
                           {"@ID@", wanted.vendor + "." + wanted.name},
                           {"@CLASS@", class_name(wanted.name)},
                           {"@CAPABILITY@", kind.capability}};
    const fs::path directory = fs::path(wanted.directory) / wanted.name;
    std::error_code error;
    if (!fs::create_directory(directory, error))
        return fail(directory.string() + ": " + (error ? error.message() : "it is there already"));
    const std::string manifest = filled(kManifest, {{"@SCHEMA@", kind.schema}});
    for (const auto& [name, text] : {std::pair<std::string, std::string>{file + ".cpp", kind.source},
                                     {wanted.name + ".yaml", manifest},
                                     {"CMakeLists.txt", kCMake},
                                     {"README.md", kReadme}})
        if (auto written = write(directory / name, filled(text, values)); !written) return written;
    print("made " + directory.string() + ": README.md in it says how to go on\n");
    return {};
}

}  // namespace keelson::cli
