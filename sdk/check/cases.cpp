#include "cases.h"

#include <iterator>

namespace keelson::check {

const std::vector<Case>& all_cases() {
    static const std::vector<Case> cases = [] {
        std::vector<Case> all;
        for (auto* group :
             {library_cases, lifecycle_cases, configuration_cases, capability_cases, method_cases,
              request_cases, conduct_cases, undo_cases, auth_cases, handover_cases}) {
            auto made = group();
            all.insert(all.end(), std::make_move_iterator(made.begin()), std::make_move_iterator(made.end()));
        }
        return all;
    }();
    return cases;
}

}  // namespace keelson::check
