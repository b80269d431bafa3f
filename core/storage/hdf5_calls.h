// What every call of HDF5's C interface needs here: errors as exceptions, handles that close
// themselves. Private to the hdf5_*.cpp files.
#pragma once

#include <hdf5.h>

#include "core/storage/hdf5.h"

namespace edt::h5 {

static_assert(sizeof(hid_t) == sizeof(std::int64_t));

// Before the first call of a function: HDF5 prints its errors otherwise.
void silence();

// DataError, or SystemError where the operating system refused: "LABEL: cannot ACTION: reason".
[[noreturn]] void fail_hdf5(const std::string& label, std::string_view action);
void check(herr_t status, const std::string& label, std::string_view action);
Handle own(hid_t id, Handle::Close close, const std::string& label, std::string_view action);

inline int close_type(std::int64_t id) { return H5Tclose(id); }
inline int close_space(std::int64_t id) { return H5Sclose(id); }
inline int close_properties(std::int64_t id) { return H5Pclose(id); }
inline int close_attribute(std::int64_t id) { return H5Aclose(id); }
inline int close_dataset(std::int64_t id) { return H5Dclose(id); }
inline int close_group(std::int64_t id) { return H5Gclose(id); }
inline int close_file(std::int64_t id) { return H5Fclose(id); }

// The little-endian type in a file, which is also the type in memory of every supported machine.
Handle stored_type(Type type);

// What the elements of a file are read as.
struct Element {
  Type type = Type::kOther;
  bool exact = false;  // stored as stored_type(type), bit by bit
  bool truth = false;  // an enumeration of FALSE and TRUE, as h5py writes bool
  std::string name;    // for messages
};
Element identify(hid_t type);

// Storage of a data set with these creation properties, and that it can be decoded here.
Storage storage_of(hid_t properties, const std::string& label);

// Name of the file that an object lies in, which behind an external link is another one.
std::string file_of(hid_t object, const std::string& label);

// The file that `name` in a link or a mapping of the file `holder` means, or what is wrong.
struct LinkedFile {
  std::filesystem::path path;
  std::string problem;
};
// `prefixes`: the environment variable with further directories.
LinkedFile linked_file(const std::string& name, const std::filesystem::path& holder,
                       const char* prefixes);

// Properties for a call that may follow external links: it fails where one is missing in its place.
class LinkAccess {
 public:
  explicit LinkAccess(std::int64_t list_class);
  LinkAccess(const LinkAccess&) = delete;
  LinkAccess& operator=(const LinkAccess&) = delete;

  hid_t get() const { return list_.get(); }
  // After the call: DataError where it was a link that failed, or led elsewhere than to `object`'s
  // file (negative: there is no object).
  void require_followed(std::int64_t object, const std::string& label) const;

 private:
  Handle list_;
  LinkedFile followed_;  // the last one
};

// Dimensions of a data space; a product beyond 2^59 elements is refused, so sizes cannot overflow.
// So is a null data space, which holds no value.
Shape dimensions(hid_t space, const std::string& label);
Handle vector_space(std::size_t size);

}  // namespace edt::h5
