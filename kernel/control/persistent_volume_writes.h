// The writes by which a volume and a claim become each other's. Each does nothing when it is done already;
// an object that somebody else has changed is a conflict.
#pragma once

#include <string>
#include <string_view>

#include "kernel/control/controller.h"

namespace keelson::control {

// The volume is the claim's: spec.claimRef, then phase Bound; then the claim's side: spec.volumeName and the
// annotations, then its status. Whatever has been written before a stop is found by the next one.
[[nodiscard]] base::Task<base::Result<void>> bind(const Surroundings& surroundings, ObjectPointer volume,
                                                  ObjectPointer claim, Writer& writer);
// Nobody's again; one that a user keeps for a claim stays kept for that name.
[[nodiscard]] base::Task<base::Result<void>> unbind(const Surroundings& surroundings, ObjectPointer volume,
                                                    Writer& writer);
[[nodiscard]] base::Task<base::Result<void>> set_volume_phase(const Surroundings& surroundings,
                                                              object::Document& volume,
                                                              std::string_view phase, std::string message,
                                                              Writer& writer);
[[nodiscard]] base::Task<base::Result<void>> set_claim_phase(ObjectPointer claim, std::string_view phase,
                                                             Writer& writer);

}  // namespace keelson::control
