// Objects from files: YAML or JSON, several documents, lists, directories, standard input, URLs.
#pragma once

#include <string>
#include <vector>

#include "cli/kube/failures.h"
#include "cli/kube/flags.h"
#include "cli/kube/object.h"

namespace keelson::cli::kube {

struct FileFlags {
    std::vector<std::string> filenames;
    bool is_recursive = false;
    std::string kustomize;
};
void add_file_flags(Flags& flags, FileFlags& files);

struct Manifest {
    Object object;
    std::string source;  // the file, as messages name it; "STDIN"
};

// The objects of all files in their order; the members of lists one by one. Files that cannot be read go to
// the failures, and the rest is read.
Result<std::vector<Manifest>> read_manifests(const FileFlags& files, Failures& failures);
// The documents of one text.
Result<std::vector<Object>> read_documents(std::string_view text, const std::string& source);
// A file, "-" or a URL as text.
Result<std::string> read_source(const std::string& source);

}  // namespace keelson::cli::kube
