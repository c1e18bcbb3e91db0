// The well-formed requests themselves, as texts. $DIR stands for a directory of the kit.
#pragma once

#include <string_view>

namespace keelson::check {

struct Sample {
    std::string_view method;  // "keelson.volume/0 create"
    std::string_view request;
};

// "{}" for a method that is not listed.
[[nodiscard]] std::string_view sample_text(std::string_view method);

}  // namespace keelson::check
