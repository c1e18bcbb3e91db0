// The same layer a second time, on top of other layers: the directories anew, the files as hard links. Layers
// are only ever read, so they may share their files.
#ifndef KEELSON_OCI_CLONE_TREE_H
#define KEELSON_OCI_CLONE_TREE_H

namespace keelson::oci {

// Into an empty directory.
void clone_tree(int source, int target);

}  // namespace keelson::oci

#endif
