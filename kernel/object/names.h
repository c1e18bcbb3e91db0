// The formats of names, labels, ports, paths and the like, and why a text does not have one, in the words of
// Kubernetes (k8s.io/apimachinery/pkg/util/validation). Each check returns one text per error, none when all
// is well.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace keelson::object {

using Messages = std::vector<std::string>;

// Without texts, for hot paths.
[[nodiscard]] bool has_dns1123_label_form(std::string_view text);      // length not checked
[[nodiscard]] bool has_dns1123_subdomain_form(std::string_view text);  // length not checked

[[nodiscard]] Messages is_dns1123_label(std::string_view text);
[[nodiscard]] Messages is_dns1123_subdomain(std::string_view text);
[[nodiscard]] Messages is_dns1123_subdomain_with_underscore(std::string_view text);
[[nodiscard]] Messages is_dns1035_label(std::string_view text);
[[nodiscard]] Messages is_wildcard_dns1123_subdomain(std::string_view text);
[[nodiscard]] Messages is_qualified_name(std::string_view text);
[[nodiscard]] Messages is_label_value(std::string_view text);
[[nodiscard]] Messages is_config_map_key(std::string_view text);
[[nodiscard]] Messages is_environment_name(std::string_view text);          // the strict form
[[nodiscard]] Messages is_relaxed_environment_name(std::string_view text);  // printable ASCII without '='
[[nodiscard]] Messages is_c_identifier(std::string_view text);
[[nodiscard]] Messages is_percent(std::string_view text);
[[nodiscard]] Messages is_port_number(std::int64_t port);
[[nodiscard]] Messages is_port_name(std::string_view text);
[[nodiscard]] Messages is_http_header_name(std::string_view text);
[[nodiscard]] Messages is_user_or_group_id(std::int64_t id);
[[nodiscard]] Messages is_in_range(std::int64_t value, std::int64_t least, std::int64_t most);
// A name that is one segment of a URL path.
[[nodiscard]] Messages is_path_segment(std::string_view text);
// The same for a generateName, which may be anything but contain '/' and '%'.
[[nodiscard]] Messages is_path_segment_prefix(std::string_view text);

// Names of objects. A prefix is a generateName: a dash at its end is no error.
[[nodiscard]] Messages name_is_dns_subdomain(std::string_view name, bool prefix);
[[nodiscard]] Messages name_is_dns_label(std::string_view name, bool prefix);
[[nodiscard]] Messages name_is_dns1035_label(std::string_view name, bool prefix);
[[nodiscard]] Messages name_is_path_segment(std::string_view name, bool prefix);

// "must be no more than 63 characters"
[[nodiscard]] std::string length_message(std::size_t most);
// Messages joined with ",".
[[nodiscard]] std::string join_messages(const Messages& messages, std::string_view separator = ",");

[[nodiscard]] std::string lower_case(std::string_view text);
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);
// "10%" gives 10; -1 when the text is no percentage.
[[nodiscard]] std::int64_t percent_value(std::string_view text);

}  // namespace keelson::object
