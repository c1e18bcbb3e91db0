#include "kernel/plugin/yaml_json.h"

#include <nlohmann/json.hpp>

namespace keelson::plugin {
namespace {

using base::yaml::fail;
using nlohmann::json;

constexpr int kDepthLimit = 64;
constexpr std::size_t kNodeLimit = 100'000;  // aliases may repeat much

json scalar_value(const YAML::Node& node) {
    const std::string& text = node.Scalar();
    // "!" is the tag of a quoted scalar.
    if (node.Tag() == "!") return text;
    if (text.empty() || text == "~") return nullptr;
    json parsed = json::parse(text, nullptr, false);
    return parsed.is_discarded() || parsed.is_structured() || parsed.is_string() ? json(text) : parsed;
}

std::string escaped(std::string key) {
    for (std::size_t at = 0; (at = key.find_first_of("~/", at)) != std::string::npos; at += 2)
        key.replace(at, 1, key[at] == '~' ? "~0" : "~1");
    return key;
}

json convert(const YAML::Node& node, const std::string& pointer, int depth, Lines& lines) {
    if (depth > kDepthLimit || lines.size() > kNodeLimit) fail(node, "too deep or too large");
    lines[pointer] = node.Mark().line + 1;
    if (node.IsMap()) {
        json object = json::object();
        for (const auto& member : node) {
            const auto key = base::yaml::scalar<std::string>(member.first, "key", "a text");
            const std::string inner = pointer + "/" + escaped(key);
            if (object.contains(key)) fail(member.first, "key '" + key + "' is given twice");
            object[key] = convert(member.second, inner, depth + 1, lines);
            lines[inner] = member.first.Mark().line + 1;
        }
        return object;
    }
    if (node.IsSequence()) {
        json list = json::array();
        for (const auto& item : node)
            list.push_back(convert(item, pointer + "/" + std::to_string(list.size()), depth + 1, lines));
        return list;
    }
    return node.IsScalar() ? scalar_value(node) : json(nullptr);
}

}  // namespace

std::string to_json(const YAML::Node& node, Lines& lines) {
    return convert(node, "", 0, lines).dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace keelson::plugin
