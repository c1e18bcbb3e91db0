// What commands do with --local: the objects of files are changed and shown, and no server is asked.
#pragma once

#include <string>

#include "cli/kube/discovery.h"
#include "cli/kube/manifests.h"
#include "cli/kube/resources.h"

namespace keelson::cli::kube {

// The type of an object by its own words. What the server calls the type is not known: its plural is the
// kind.
Resource resource_by_itself(const Object& object);

// Hands the objects of the files on, and goes on after failures. The item's type is gone with the call.
Result<void> for_each_local(const FileFlags& files, const ItemWork& work);

// What the patch makes of the object. `type` is a content type of writing.h; strategic patches need a type of
// Kubernetes, as only these say how their lists are merged.
Result<Object> patched_locally(const Object& object, const std::string& type, const std::string& patch);

}  // namespace keelson::cli::kube
