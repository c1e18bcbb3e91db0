// What "set image", "set env" and the like share: objects are read, changed, and the difference is sent.
#pragma once

#include <functional>
#include <string>

#include "cli/kube/command.h"
#include "cli/kube/manifests.h"
#include "cli/kube/printing.h"
#include "cli/kube/writing.h"

namespace keelson::cli::kube {

class SetCommand : public Command {
  public:
    void add_flags(Flags& flags) final;

  protected:
    virtual void add_own_flags(Flags& flags) = 0;

    // Works on each object of the words and files. What is as it should be is told of only when
    // `tells_always`. With --local nothing is asked of the server.
    Result<void> change_each(Session& session, const std::vector<std::string>& words, const std::string& done,
                             const ItemWork& change, bool tells_always = false);
    // Hands each object of the words and files on; with --local those of the files as they are there.
    Result<void> for_each_chosen(Session& session, const std::vector<std::string>& words,
                                 const ItemWork& work);
    [[nodiscard]] bool has_objects(const std::vector<std::string>& words) const {
        return !words.empty() || !files_.filenames.empty() || !files_.kustomize.empty();
    }

    FileFlags files_;
    SelectFlags select_;
    WriteFlags write_;
    PrintFlags print_;
    bool is_local_ = false;
};

// The spec of the object's pods; fails for objects without.
Result<Object*> need_pod_spec(Item& item);

}  // namespace keelson::cli::kube
