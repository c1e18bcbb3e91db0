// Conversion between served versions of one stored resource: HorizontalPodAutoscaler v1 and v2, Event core/v1
// and events.k8s.io/v1.
#pragma once

#include "kernel/base/result.h"
#include "kernel/object/schema.h"
#include "kernel/object/value.h"

namespace keelson::resource {

// The object in the version of `to`, canonical, kind and apiVersion set. Both must share their storage.
[[nodiscard]] base::Result<object::Value> convert(const object::Resource& from, const object::Resource& to,
                                                  object::Value object, object::Arena& arena);

}  // namespace keelson::resource
