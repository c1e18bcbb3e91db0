// Kubeconfig files as `keelctl config` changes them: each entry in the file that it comes from.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/kube/globals.h"
#include "cli/kube/object.h"

namespace keelson::cli::kube {

// Clusters, contexts or users by their names.
void sort_entries(Object& list);

class KubeconfigFiles {
  public:
    static Result<KubeconfigFiles> load(const Globals& globals);

    // The first file that has such an entry, else the one that new entries go to.
    std::string path_of(const std::string& list, const std::string& name) const;
    std::string default_path() const { return default_path_; }
    [[nodiscard]] bool has(const std::string& list, const std::string& name) const;

    // The entry's "cluster", "user" or "context", made when there is none.
    Object& entry(const std::string& list, const std::string& name);
    // Whether there was one.
    bool remove(const std::string& list, const std::string& name);
    void rename_context(const std::string& from, const std::string& to);
    [[nodiscard]] std::string current_context() const;
    void set_current_context(const std::string& name);

    // Writes the files that were changed.
    Result<void> save();

  private:
    struct File {
        std::string path;
        Object content;
        bool is_changed = false;
    };
    File& file_of(const std::string& list, const std::string& name);

    std::vector<File> files_;
    std::string default_path_;
};

}  // namespace keelson::cli::kube
