// Names that change with what is in a config map or secret, so that pods that name it get new ones.
#pragma once

#include "cli/kube/object.h"

namespace keelson::cli::kube {

// Adds "-" and ten letters to the object's name: of the SHA-256 of its kind, name and data, as kubectl makes
// them, so that both programs give the same name. The object is a ConfigMap or a Secret.
void append_hash(Object& object);

}  // namespace keelson::cli::kube
