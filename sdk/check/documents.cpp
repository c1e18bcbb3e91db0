#include "documents.h"

#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "samples.h"

namespace keelson::check {
namespace {

using nlohmann::json;

constexpr std::string_view directory_mark = "$DIR";
// Requests made at random must be the same in every run, and must not name anything that is there.
constexpr const char* fuzz_directory = "/nonexistent/keelson-check";
// Stands for raw bytes in a string until the document is text.
constexpr std::string_view suffix_mark = "keelsonsuffixmark";

std::string replaced(std::string text, std::string_view what, std::string_view with) {
    for (std::size_t at = text.find(what); at != text.npos; at = text.find(what, at + with.size())) {
        text.replace(at, what.size(), with);
    }
    return text;
}

bool is_path(const json& value) {
    return value.is_string() && value.get_ref<const std::string&>().starts_with('/');
}

// Calls `visit` for every value inside the document, the document itself last.
void for_each(json& value, const std::function<void(json&)>& visit) {
    if (value.is_structured()) {
        for (auto& member : value) for_each(member, visit);
    }
    visit(value);
}

std::vector<json> values_of_all_types() {
    return {nullptr, true, -1, 1.5, "text", json::array({json::object()}), json::object({{"a", 1}})};
}

}  // namespace

std::string sample_request(const MethodReference& method, const std::string& directory) {
    return replaced(std::string(sample_text(method.name())), directory_mark, directory);
}

bool names_something(const MethodReference& method) {
    return sample_text(method.name()).find("keelson-check-unknown") != std::string_view::npos;
}

std::vector<std::string> with_wrong_types(const std::string& document) {
    std::vector<std::string> made;
    for (const json& other : values_of_all_types()) {
        const json original = json::parse(document);
        for (const auto& [name, value] : original.items()) {
            json changed = original;
            changed[name] = other;
            made.push_back(changed.dump());
        }
    }
    return made;
}

std::string with_suffixes(const std::string& document, std::string_view suffix) {
    json changed = json::parse(document);
    for_each(changed, [](json& value) {
        if (value.is_string() && !is_path(value)) {
            value = value.get<std::string>() + std::string(suffix_mark);
        }
    });
    changed["keelsonCheck"] = std::string(suffix_mark);
    return replaced(changed.dump(), suffix_mark, suffix);
}

std::string with_unknown_members(const std::string& document) {
    json changed = json::parse(document);
    const json unknown = {{"of", {1, 2.5, nullptr, true, "later"}}};
    // Objects whose member names are data, like attributes and labels, are left alone.
    changed["keelsonCheckLater"] = unknown;
    for (auto& member : changed) {
        if (member.is_object() && !member.empty()) member["keelsonCheckLater"] = unknown;
    }
    return changed.dump();
}

std::string nested_arrays(std::size_t depth) {
    return "{\"name\":" + std::string(depth, '[') + std::string(depth, ']') + "}";
}

std::string nested_objects(std::size_t depth) {
    std::string text;
    for (std::size_t i = 0; i < depth; ++i) text += R"({"name":)";
    return text + "1" + std::string(depth, '}');
}

const std::vector<std::string>& no_objects() {
    static const std::vector<std::string> texts = {
        "",
        " ",
        "{",
        "}",
        "{\"name\"",
        "{\"name\":",
        "{\"name\":\"",
        "nothing",
        "{}{}",
        "{'name': 1}",
        "\xef\xbb\xbf{}",
        "[1,2",
        "{\"name\":\"\\u12",
        "{\"name\":\"\\ud800\"}",
        "1e999999",
        "{,}",
        "\"",
        std::string(1, '\0'),
        std::string(3, '\xff'),
        std::string(100000, '['),
        "null",
        "true",
        "0",
        "-1.5e3",
        "\"text\"",
        "[]",
        "[{}]",
    };
    return texts;
}

namespace {

std::size_t below(Random& random, std::size_t bound) {
    return random() % bound;
}

json random_value(Random& random) {
    switch (below(random, 9)) {
        case 0:
            return nullptr;
        case 1:
            return below(random, 2) == 0;
        case 2:
            return std::numeric_limits<std::int64_t>::min();
        case 3:
            return std::numeric_limits<std::uint64_t>::max();
        case 4:
            return 1e300;
        case 5:
            return std::string(below(random, 5000), static_cast<char>('a' + below(random, 26)));
        case 6:
            return json::array({1, "a", nullptr});
        case 7:
            return json::object({{"name", json::object({{"name", -1}})}});
        default:
            return static_cast<std::int64_t>(random());
    }
}

// A value somewhere in the document, chosen evenly.
json& random_place(json& document, Random& random) {
    std::vector<json*> places;
    for_each(document, [&](json& value) { places.push_back(&value); });
    return *places[below(random, places.size())];
}

void change_value(json& document, Random& random) {
    json& place = random_place(document, random);
    if (place.is_object() && below(random, 2) == 0) {
        place["member" + std::to_string(below(random, 100))] = random_value(random);
    } else if (place.is_object() && !place.empty() && below(random, 2) == 0) {
        place.erase(std::next(place.begin(), static_cast<long>(below(random, place.size()))));
    } else if (place.is_string() && below(random, 2) == 0) {
        place = place.get<std::string>() + "/\xc3\xa4\x01\x7f";
    } else {
        place = random_value(random);
    }
}

void change_bytes(std::string& text, Random& random) {
    for (std::size_t i = 0; i < 1 + below(random, 4) && !text.empty(); ++i) {
        const std::size_t at = below(random, text.size());
        switch (below(random, 4)) {
            case 0:
                text[at] = static_cast<char>(random());
                break;
            case 1:
                text.resize(at);
                break;
            case 2:
                text.erase(at, 1 + below(random, 8));
                break;
            default:
                text.insert(at, text.substr(below(random, text.size()), 1 + below(random, 16)));
        }
    }
}

}  // namespace

std::string fuzzed_request(const MethodReference& method, Random& random) {
    const bool changes_bytes = below(random, 4) == 0;
    // A path that loses its end could name something real; without a leading slash it cannot.
    json document = json::parse(sample_request(method, changes_bytes ? "nonexistent" : fuzz_directory));
    for (std::size_t i = 0; i < 1 + below(random, 3); ++i) change_value(document, random);
    std::string text = document.dump(-1, ' ', false, json::error_handler_t::replace);
    if (changes_bytes) change_bytes(text, random);
    return text;
}

}  // namespace keelson::check
