// Plain structs as JSON documents. A struct names its fields once, with KEELSON_FIELDS; reading, writing and
// the conversions of nlohmann::json follow from that.
//
// Reading: fields that the struct does not name are ignored; a missing or null required field and a value of
// the wrong type throw Error(Code::invalid) that names the field ("capabilities[0].accessMode"). Writing: an
// optional field that has its default value is left out.
#ifndef KEELSON_DOCUMENT_HPP
#define KEELSON_DOCUMENT_HPP

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "keelson/entry.h"
#include "keelson/error.hpp"

// KEELSON_FIELDS(field.required("volumeId", self.volume_id).optional("secrets", self.secrets))
#define KEELSON_FIELDS(...)                                                                   \
    template <typename Self, typename Fields>                                                 \
    static void keelson_fields([[maybe_unused]] Self& self, [[maybe_unused]] Fields& field) { \
        __VA_ARGS__;                                                                          \
    }

namespace keelson {

using Json = nlohmann::json;
using Labels = std::map<std::string, std::string>;

// A document without fields.
struct Empty {
    KEELSON_FIELDS()
};

namespace detail {

struct NoFields {};

template <typename T, typename = void>
struct IsDocument : std::false_type {};
template <typename T>
struct IsDocument<
    T, std::void_t<decltype(T::keelson_fields(std::declval<const T&>(), std::declval<NoFields&>()))>>
    : std::true_type {};

template <typename T>
struct IsList : std::false_type {};
template <typename T>
struct IsList<std::vector<T>> : std::true_type {};

template <typename T>
struct IsMap : std::false_type {};
template <typename T>
struct IsMap<std::map<std::string, T>> : std::true_type {};

template <typename T>
struct IsOptional : std::false_type {};
template <typename T>
struct IsOptional<std::optional<T>> : std::true_type {};

// Where in a document a value stands; becomes text only when something is wrong with it.
struct Path {
    const Path* parent = nullptr;
    std::string_view name = {};
    std::size_t index = 0;

    [[nodiscard]] std::string text() const {
        if (parent == nullptr) return {};
        std::string result = parent->text();
        if (name.empty()) return result + "[" + std::to_string(index) + "]";
        if (!result.empty()) result += '.';
        return result.append(name);
    }
};

[[noreturn]] inline void refuse(const Path& path, const char* problem) {
    const std::string field = path.text();
    throw Error(Code::invalid, (field.empty() ? "the document" : field) + " " + problem, field);
}

template <typename T>
void read(const Json& json, T& value, const Path& path);

// Takes the fields of a struct out of a JSON object.
class Reader {
  public:
    Reader(const Json& object, const Path& path) : object_(object), path_(path) {
        if (!object.is_object()) refuse(path, "must be an object");
    }

    template <typename T>
    Reader& required(const char* name, T& member) {
        const Path path{&path_, name};
        const auto found = object_.find(name);
        // Where anything may stand, null may too.
        const bool may_be_null = std::is_same_v<T, Json>;
        if (found == object_.end() || (found->is_null() && !may_be_null)) refuse(path, "is required");
        read(*found, member, path);
        return *this;
    }

    template <typename T>
    Reader& optional(const char* name, T& member) {
        const Path path{&path_, name};
        const auto found = object_.find(name);
        if (found != object_.end() && !found->is_null()) read(*found, member, path);
        return *this;
    }

    // May be missing; is always written.
    template <typename T>
    Reader& defaulted(const char* name, T& member) {
        return optional(name, member);
    }

  private:
    const Json& object_;
    const Path& path_;
};

template <typename T>
void read_integer(const Json& json, T& value, const Path& path) {
    if (!json.is_number_integer()) refuse(path, "must be a whole number");
    const bool too_large =
        json.is_number_unsigned() && json.get<std::uint64_t>() > std::uint64_t(std::numeric_limits<T>::max());
    const bool too_small =
        !json.is_number_unsigned() && json.get<std::int64_t>() < std::int64_t(std::numeric_limits<T>::min());
    if (too_large || too_small) refuse(path, "is out of range");
    value = json.get<T>();
}

template <typename T>
void read_list(const Json& json, T& list, const Path& path) {
    if (!json.is_array()) refuse(path, "must be a list");
    list.resize(json.size());
    for (std::size_t index = 0; index < json.size(); ++index)
        read(json[index], list[index], Path{&path, {}, index});
}

template <typename T>
void read_map(const Json& json, T& map, const Path& path) {
    if (!json.is_object()) refuse(path, "must be an object");
    for (const auto& [key, member] : json.items()) read(member, map[key], Path{&path, key});
}

template <typename T>
void read(const Json& json, T& value, const Path& path) {
    if constexpr (IsDocument<T>::value) {
        Reader reader(json, path);
        T::keelson_fields(value, reader);
    } else if constexpr (std::is_same_v<T, Json>) {
        value = json;
    } else if constexpr (IsOptional<T>::value) {
        read(json, value.emplace(), path);
    } else if constexpr (IsList<T>::value) {
        read_list(json, value, path);
    } else if constexpr (IsMap<T>::value) {
        read_map(json, value, path);
    } else if constexpr (std::is_same_v<T, bool>) {
        if (!json.is_boolean()) refuse(path, "must be true or false");
        value = json.get<bool>();
    } else if constexpr (std::is_integral_v<T>) {
        read_integer(json, value, path);
    } else if constexpr (std::is_floating_point_v<T>) {
        if (!json.is_number()) refuse(path, "must be a number");
        value = json.get<T>();
    } else {
        static_assert(std::is_same_v<T, std::string>, "this type has no JSON form");
        if (!json.is_string()) refuse(path, "must be a string");
        value = json.get<std::string>();
    }
}

template <typename T>
Json write(const T& value);

// Puts the fields of a struct into a JSON object.
class Writer {
  public:
    template <typename T>
    Writer& required(const char* name, const T& member) {
        object_[name] = write(member);
        return *this;
    }

    template <typename T>
    Writer& optional(const char* name, const T& member) {
        if (member != T{}) required(name, member);
        return *this;
    }

    template <typename T>
    Writer& optional(const char* name, const std::optional<T>& member) {
        if (member) required(name, *member);
        return *this;
    }

    template <typename T>
    Writer& optional(const char* name, const std::vector<T>& member) {
        if (!member.empty()) required(name, member);
        return *this;
    }

    template <typename T>
    Writer& defaulted(const char* name, const T& member) {
        return required(name, member);
    }

    [[nodiscard]] Json take() { return std::move(object_); }

  private:
    Json object_ = Json::object();
};

template <typename T>
Json write(const T& value) {
    if constexpr (IsDocument<T>::value) {
        Writer writer;
        T::keelson_fields(value, writer);
        return writer.take();
    } else if constexpr (IsOptional<T>::value) {
        return value ? write(*value) : Json();
    } else if constexpr (IsList<T>::value) {
        Json list = Json::array();
        for (const auto& element : value) list.push_back(write(element));
        return list;
    } else if constexpr (IsMap<T>::value) {
        Json map = Json::object();
        for (const auto& [key, member] : value) map[key] = write(member);
        return map;
    } else {
        return Json(value);
    }
}

constexpr int maximum_depth = 128;

// The library reads any depth, but copies and writes recursively: deeper documents would end the stack.
inline void check_depth(std::string_view text) {
    int depth = 0;
    bool in_string = false;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char character = text[at];
        if (in_string) {
            if (character == '\\') ++at;
            if (character == '"') in_string = false;
        } else if (character == '"') {
            in_string = true;
        } else if (character == '{' || character == '[') {
            if (++depth > maximum_depth) throw Error(Code::invalid, "the document is nested too deeply");
        } else if (character == '}' || character == ']') {
            --depth;
        }
    }
}

}  // namespace detail

// Bytes as a document; no bytes at all are {}.
inline Json parse(keelson_bytes bytes) {
    if (bytes.size == 0) return Json::object();
    const std::string_view text(bytes.data, bytes.size);
    detail::check_depth(text);
    try {
        return Json::parse(text);
    } catch (const Json::exception& problem) {
        throw Error(Code::invalid, std::string("the document is not JSON: ") + problem.what());
    }
}

// The document as a struct, also for what is in a plugin's own configuration.
template <typename T>
T read_as(const Json& json) {
    T value{};
    detail::read(json, value, detail::Path{});
    return value;
}

}  // namespace keelson

namespace nlohmann {

template <typename T>
struct adl_serializer<T, std::enable_if_t<keelson::detail::IsDocument<T>::value>> {
    static void to_json(json& json, const T& value) { json = keelson::detail::write(value); }
    static void from_json(const json& json, T& value) { value = keelson::read_as<T>(json); }
};

}  // namespace nlohmann

#endif
