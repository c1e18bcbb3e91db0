// A text that the user changes in an editor: the one that KUBE_EDITOR or EDITOR names, else vi.
#pragma once

#include <functional>
#include <string>

#include "cli/kube/failures.h"
#include "cli/kube/printing.h"

namespace keelson::cli::kube {

// What becomes of the edited text, without the lines that begin with '#'.
using SaveText = std::function<Result<void>(const std::string& text)>;

// Until it is saved or the user gives up; both are good. Texts that `save` cannot read, or that the server
// finds invalid, are shown again with the reason; after other failures the user's text stays in a file, which
// is told. The extension is that of the file, such as "yaml".
Result<void> edit_text(const std::string& original, const std::string& extension, const SaveText& save);

// The format is that of the text, json or yaml.
Result<void> check_edit_format(const PrintFlags& print);

// The one object of an edited text; it must still be of this kind and name.
Result<Object> object_of_edit(const std::string& text, const std::string& kind, const std::string& name);

}  // namespace keelson::cli::kube
