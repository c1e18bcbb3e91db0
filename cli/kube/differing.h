// Differences of objects, shown by the program diff or by what KUBECTL_EXTERNAL_DIFF names.
#pragma once

#include <string>

#include "cli/kube/object.h"
#include "cli/process.h"

namespace keelson::cli::kube {

class Difference {
  public:
    static Result<Difference> make();
    // Null is an object that is not there; one of both is there. Values of secrets are not shown, only
    // whether they differ.
    Result<void> add(const std::string& name, Object before, Object after);
    // A silent failure with exit code 1 when there are differences.
    Result<void> show();
    // For programs: what each object is and its changes, a JSON patch (RFC 6902) that is empty when there are
    // none.
    [[nodiscard]] const Object& documents() const { return documents_; }
    [[nodiscard]] bool has_changes() const;

  private:
    Difference(TemporaryDirectory before, TemporaryDirectory after)
        : before_(std::move(before)), after_(std::move(after)) {}
    TemporaryDirectory before_, after_;
    Object documents_ = Object::array();
};

}  // namespace keelson::cli::kube
