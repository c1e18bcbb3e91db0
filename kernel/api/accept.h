// The Accept header as Kubernetes reads it (k8s.io/apiserver/.../negotiation and its goautoneg). Pure, any
// thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace keelson::api {

struct AcceptClause {
    std::string type;     // "application", "*"
    std::string subtype;  // "json", "vnd.kubernetes.protobuf", "*"
    double quality = 1.0;
    // Every parameter but q, in order: as, g, v, stream, sv, pretty, profile and whatever else was sent.
    std::vector<std::pair<std::string, std::string>> parameters;

    [[nodiscard]] std::string_view parameter(std::string_view name) const;  // empty when absent
    [[nodiscard]] bool has_parameter(std::string_view name) const;
    [[nodiscard]] bool is_wildcard() const { return type == "*" || subtype == "*"; }
    // Whether this clause takes documents of that media type, wildcards included ("application/json").
    [[nodiscard]] bool matches(std::string_view media_type) const;
};

// The clauses, the most wanted first; equal ones in order of appearance. Malformed clauses are left out.
// An empty header gives none: any type will do.
[[nodiscard]] std::vector<AcceptClause> parse_accept(std::string_view header);

// Splits a Content-Type into the media type in lower case and its parameters; "" for an empty header.
struct MediaType {
    std::string type;
    std::vector<std::pair<std::string, std::string>> parameters;
};
[[nodiscard]] MediaType parse_content_type(std::string_view header);

// Kubernetes' rule: one element of Accept-Encoding is exactly "gzip" (with a q value it is not).
[[nodiscard]] bool accepts_gzip(std::string_view accept_encoding);

}  // namespace keelson::api
