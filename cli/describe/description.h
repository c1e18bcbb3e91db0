// The text of a description as it grows: indented lines with cells that tabs end, aligned at the end.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace keelson::cli::describing {

using Json = nlohmann::json;

inline constexpr std::string_view kNone = "<none>";
inline constexpr std::string_view kUnset = "<unset>";
inline constexpr std::string_view kUnknown = "<unknown>";

class Description {
  public:
    // A line, two blanks further in for each level.
    void line(int level, std::string_view text);
    // "Name:<tab>value"
    void field(int level, std::string_view name, std::string_view value);
    // The cells of a row of a table.
    void row(int level, std::initializer_list<std::string_view> cells);
    void raw(std::string_view text) { text_ += text; }
    // What follows is aligned on its own.
    void begin_section();
    std::string take();
    // With the tabs as they are.
    [[nodiscard]] std::string unaligned() const { return done_ + text_; }

  private:
    std::string done_;
    std::string text_;
};

// Reading is total, as kube::member is.
const Json& at(const Json& object, std::initializer_list<std::string_view> names);
// Texts as they are, numbers and booleans as JSON, nothing for null.
std::string text(const Json& value);
std::string text(const Json& object, std::initializer_list<std::string_view> names);
std::int64_t number(const Json& value, std::int64_t fallback = 0);
bool is_true(const Json& value);
std::string or_none(std::string text);
std::string or_unset(const Json& value);
std::string yes(bool value);  // True, False
std::string joined(const std::vector<std::string>& parts, std::string_view separator);
// The texts of a list, "a,b".
std::string joined(const Json& list, std::string_view separator);

// "k=v,k2=v2" or <none>
std::string format_labels(const Json& labels);
// A LabelSelector as people write it: "app=web,tier in (a,b),!x"; <none> when it is absent or empty.
std::string format_selector(const Json& selector);

// Blocks of "key=value" and "key: value" lines behind a title.
void write_labels(Description& out, std::string_view title, const Json& labels, std::string_view indent = "");
void write_annotations(Description& out, std::string_view title, const Json& annotations,
                       std::string_view indent = "");
// Name, and namespace when there is one.
void write_name(Description& out, const Json& object);
// Labels and annotations.
void write_metadata(Description& out, const Json& object);
// "Controlled By", when something does.
void write_controller(Description& out, const Json& object);

// "Mon, 02 Jan 2006 15:04:05 -0700" in the zone of this machine; the text itself when it is no time.
std::string long_time(const Json& time);
// How long ago, as in tables: "3m2s"; <unknown> when it is no time. `now` in seconds since 1970.
std::string age(const Json& time, std::int64_t now);

}  // namespace keelson::cli::describing
