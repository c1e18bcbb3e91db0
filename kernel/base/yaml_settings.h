// Reading settings out of YAML with messages that name the line. For translation units that use yaml-cpp;
// they link it themselves.
//
//     try {
//         read_object(document, "the manifest", {{"name", text_into(manifest.name)}, ...});
//     } catch (const SettingsError& error) { return Status(Reason::bad_request, error.message); }
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

namespace keelson::base::yaml {

// Thrown and caught inside one translation unit only: yaml-cpp speaks exceptions anyway.
struct SettingsError {
    std::string message;
};

[[noreturn]] inline void fail(const YAML::Node& node, const std::string& what) {
    throw SettingsError{"line " + std::to_string(node.Mark().line + 1) + ": " + what};
}

template <typename T>
T scalar(const YAML::Node& node, const std::string& key, const char* wanted) {
    try {
        if (node.IsScalar()) return node.as<T>();
    } catch (const YAML::Exception&) {
    }
    fail(node, "'" + key + "' must be " + wanted);
}

inline std::vector<std::string> texts(const YAML::Node& node, const std::string& key) {
    if (!node.IsSequence()) fail(node, "'" + key + "' must be a list");
    std::vector<std::string> list;
    for (const auto& item : node) list.push_back(scalar<std::string>(item, key, "a list of texts"));
    return list;
}

inline std::int64_t number_between(const YAML::Node& node, const std::string& key, std::int64_t least,
                                   std::int64_t most) {
    const auto value = scalar<std::int64_t>(node, key, "a number");
    if (value < least || value > most)
        fail(node, "'" + key + "' must be between " + std::to_string(least) + " and " + std::to_string(most));
    return value;
}

// A key and what to do with its value.
using Reader = std::function<void(const YAML::Node&, const std::string&)>;
using Keys = std::map<std::string, Reader, std::less<>>;

inline void read_object(const YAML::Node& node, const std::string& where, const Keys& keys) {
    if (node.IsNull()) return;
    if (!node.IsMap()) fail(node, where + " must be an object");
    std::set<std::string> seen;
    for (const auto& member : node) {
        const auto key = scalar<std::string>(member.first, "key", "a text");
        const auto found = keys.find(key);
        if (found == keys.end()) {
            std::string known;
            for (const auto& [name, reader] : keys) {
                if (!known.empty()) known += ", ";
                known += name;
            }
            fail(member.first, "unknown key '" + key + "' (known here: " + known + ")");
        }
        if (!seen.insert(key).second) fail(member.first, "key '" + key + "' is given twice");
        found->second(member.second, key);
    }
}

inline Reader text_into(std::string& target) {
    return [&target](const YAML::Node& node, const std::string& key) {
        target = scalar<std::string>(node, key, "a text");
    };
}
inline Reader texts_into(std::vector<std::string>& target) {
    return [&target](const YAML::Node& node, const std::string& key) { target = texts(node, key); };
}
inline Reader flag_into(bool& target) {
    return [&target](const YAML::Node& node, const std::string& key) {
        target = scalar<bool>(node, key, "true or false");
    };
}
// Bounds are of the number as it is written; it is multiplied by `unit` afterwards.
template <typename T>
Reader number_into(T& target, std::int64_t least, std::int64_t most, std::int64_t unit = 1) {
    return [&target, least, most, unit](const YAML::Node& node, const std::string& key) {
        target = static_cast<T>(number_between(node, key, least, most) * unit);
    };
}

}  // namespace keelson::base::yaml
