#include "cli/describe/description.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "cli/kube/object.h"
#include "cli/print/tab_writer.h"
#include "kernel/object/time_format.h"

namespace keelson::cli::describing {
namespace {

constexpr std::size_t kLongestAnnotation = 140;
constexpr std::string_view kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";

std::optional<std::int64_t> seconds_of(const Json& time) {
    if (!time.is_string()) return std::nullopt;
    const auto instant = object::parse_time(time.get_ref<const std::string&>());
    if (!instant) return std::nullopt;
    return instant->seconds;
}

std::string shortened(std::string_view text, std::size_t most) {
    return text.size() <= most ? std::string(text) : std::string(text.substr(0, most)) + "...";
}

std::string requirement(const Json& expression) {
    const std::string key = text(expression, {"key"});
    const std::string relation = text(expression, {"operator"});
    if (relation == "Exists") return key;
    if (relation == "DoesNotExist") return "!" + key;
    std::vector<std::string> values;
    for (const Json& value : at(expression, {"values"})) values.push_back(text(value));
    std::sort(values.begin(), values.end());
    return key + (relation == "NotIn" ? " notin (" : " in (") + joined(values, ",") + ")";
}

}  // namespace

void Description::line(int level, std::string_view text) {
    text_.append(2 * static_cast<std::size_t>(level), ' ');
    text_ += text;
    text_ += '\n';
}

void Description::field(int level, std::string_view name, std::string_view value) {
    line(level, std::string(name) + ":\t" + std::string(value));
}

void Description::row(int level, std::initializer_list<std::string_view> cells) {
    std::string text;
    const char* separator = "";
    for (const std::string_view cell : cells) {
        text += separator;
        text += cell;
        separator = "\t";
    }
    line(level, text);
}

void Description::begin_section() {
    done_ += printing::align_tabs(text_, printing::kDescriptionStops);
    text_.clear();
}

std::string Description::take() {
    begin_section();
    return std::exchange(done_, {});
}

const Json& at(const Json& object, std::initializer_list<std::string_view> names) {
    return kube::member(object, names);
}

std::string text(const Json& value) {
    if (value.is_string()) return value.get<std::string>();
    return value.is_null() ? std::string() : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string text(const Json& object, std::initializer_list<std::string_view> names) {
    return text(at(object, names));
}

std::int64_t number(const Json& value, std::int64_t fallback) {
    return value.is_number() ? value.get<std::int64_t>() : fallback;
}

bool is_true(const Json& value) {
    return value.is_boolean() && value.get<bool>();
}

std::string or_none(std::string text) {
    return text.empty() ? std::string(kNone) : text;
}

std::string or_unset(const Json& value) {
    return value.is_null() ? std::string(kUnset) : text(value);
}

std::string yes(bool value) {
    return value ? "True" : "False";
}

std::string joined(const std::vector<std::string>& parts, std::string_view separator) {
    std::string all;
    for (const std::string& part : parts) {
        if (&part != &parts.front()) all += separator;
        all += part;
    }
    return all;
}

std::string joined(const Json& list, std::string_view separator) {
    std::vector<std::string> parts;
    if (list.is_array())
        for (const Json& item : list) parts.push_back(text(item));
    return joined(parts, separator);
}

std::string format_labels(const Json& labels) {
    std::vector<std::string> parts;
    if (labels.is_object())
        for (const auto& [key, value] : labels.items()) parts.push_back(key + "=" + text(value));
    return or_none(joined(parts, ","));
}

std::string format_selector(const Json& selector) {
    std::vector<std::pair<std::string, std::string>> parts;
    const Json& labels = at(selector, {"matchLabels"});
    if (labels.is_object())
        for (const auto& [key, value] : labels.items()) parts.emplace_back(key, key + "=" + text(value));
    for (const Json& expression : at(selector, {"matchExpressions"}))
        parts.emplace_back(text(expression, {"key"}), requirement(expression));
    std::stable_sort(parts.begin(), parts.end(),
                     [](const auto& left, const auto& right) { return left.first < right.first; });
    std::vector<std::string> texts;
    for (const auto& [key, part] : parts) texts.push_back(part);
    return or_none(joined(texts, ","));
}

void write_labels(Description& out, std::string_view title, const Json& labels, std::string_view indent) {
    std::string before = std::string(indent) + std::string(title) + ":\t";
    if (!labels.is_object() || labels.empty()) return out.line(0, before + std::string(kNone));
    for (const auto& [key, value] : labels.items()) {
        out.line(0, before + key + "=" + text(value));
        before = std::string(indent) + "\t";
    }
}

void write_annotations(Description& out, std::string_view title, const Json& annotations,
                       std::string_view indent) {
    const std::string further = std::string(indent) + "\t";
    std::string before = std::string(indent) + std::string(title) + ":\t";
    const auto lines = [&](const std::string& key, std::string value) {
        if (value.ends_with('\n')) value.pop_back();
        const bool is_long = value.size() + key.size() + 2 > kLongestAnnotation;
        if (!is_long && value.find('\n') == std::string::npos)
            return out.line(0, before + key + ": " + value);
        out.line(0, before + key + ":");
        for (std::size_t begin = 0; begin <= value.size();) {
            const std::size_t end = std::min(value.find('\n', begin), value.size());
            out.line(0, further + "  " + shortened(value.substr(begin, end - begin), kLongestAnnotation - 2));
            begin = end + 1;
        }
    };
    bool is_empty = true;
    if (annotations.is_object()) {
        for (const auto& [key, value] : annotations.items()) {
            if (key == kLastApplied) continue;
            lines(key, text(value));
            before = further;
            is_empty = false;
        }
    }
    if (is_empty) out.line(0, before + std::string(kNone));
}

void write_name(Description& out, const Json& object) {
    out.field(0, "Name", kube::name_of(object));
    const std::string space = kube::namespace_of(object);
    if (!space.empty()) out.field(0, "Namespace", space);
}

void write_metadata(Description& out, const Json& object) {
    write_labels(out, "Labels", at(object, {"metadata", "labels"}));
    write_annotations(out, "Annotations", at(object, {"metadata", "annotations"}));
}

void write_controller(Description& out, const Json& object) {
    for (const Json& owner : at(object, {"metadata", "ownerReferences"})) {
        if (!is_true(at(owner, {"controller"}))) continue;
        return out.field(0, "Controlled By", text(owner, {"kind"}) + "/" + text(owner, {"name"}));
    }
}

std::string long_time(const Json& time) {
    const auto seconds = seconds_of(time);
    if (!seconds) return text(time);
    const auto when = static_cast<std::time_t>(*seconds);
    std::tm parts{};
    ::localtime_r(&when, &parts);
    std::array<char, 64> buffer{};
    const std::size_t size = std::strftime(buffer.data(), buffer.size(), "%a, %d %b %Y %H:%M:%S %z", &parts);
    return {buffer.data(), size};
}

std::string age(const Json& time, std::int64_t now) {
    const auto seconds = seconds_of(time);
    return seconds ? object::human_duration(now - *seconds) : std::string(kUnknown);
}

}  // namespace keelson::cli::describing
