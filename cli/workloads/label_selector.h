// Label selectors as people write them, as the API has them.
#pragma once

#include <string>

#include "cli/kube/object.h"
#include "cli/result.h"

namespace keelson::cli::kube {

// "app=web,tier in (a,b),!old" as a LabelSelector.
Result<Object> parse_label_selector(const std::string& text);

}  // namespace keelson::cli::kube
