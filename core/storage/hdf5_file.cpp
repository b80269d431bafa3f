#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/base/error.h"
#include "core/storage/file_kind.h"
#include "core/storage/hdf5_calls.h"
#include "core/storage/open_to_read.h"
#include "core/storage/partial_file.h"

namespace edt::h5 {

namespace {

Handle open_root(hid_t file, const std::string& label) {
  return own(H5Gopen2(file, "/", H5P_DEFAULT), close_group, label, "open its root group");
}

Handle open_group(hid_t file, const std::string& name, const std::string& label) {
  const LinkAccess access(H5P_GROUP_ACCESS);
  const hid_t opened = H5Gopen2(file, name.c_str(), access.get());
  access.require_followed(opened, label);
  return own(opened, close_group, label, "open the group");
}

// Plain files, whatever driver the environment asks for.
Handle file_access() {
  Handle access(H5Pcreate(H5P_FILE_ACCESS), close_properties);
  H5Pset_fapl_sec2(access.get());
  return access;
}

// HDF5 locks a file that it writes, where the file system has locks.
void refuse_writer(const std::filesystem::path& path) {
  const int descriptor = open_to_read(path);
  const bool held = ::flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(descriptor);
  require<DataError>(!held, "hdf5", "{}: another program has it open for writing", path.string());
}

}  // namespace

File::File(Handle file, Handle root, const std::filesystem::path& path, bool writable)
    : Object(std::move(root), path.string() + ":/"),
      file_(std::move(file)),
      path_(path),
      writable_(writable) {}

File File::open(const std::filesystem::path& path) {
  silence();
  refuse_writer(path);
  const Handle access = file_access();
  // Weakly, as HDF5 itself opens sources of virtual data sets: it refuses a file in both ways.
  H5Pset_fclose_degree(access.get(), H5F_CLOSE_WEAK);
  const hid_t opened = H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get());
  if (opened < 0) refuse_other_kind(path, {{FileKind::kHdf5, FileKind::kShard}}, "hdf5");
  Handle file = own(opened, close_file, path.string(), "open it as HDF5");
  Handle root = open_root(file.get(), path.string());
  return File(std::move(file), std::move(root), path, false);
}

File File::open_with(const std::filesystem::path& path, std::int64_t access) {
  silence();
  Handle file = own(H5Fopen(path.c_str(), H5F_ACC_RDWR, access), close_file, path.string(),
                    "open it as HDF5");
  Handle root = open_root(file.get(), path.string());
  return File(std::move(file), std::move(root), path, true);
}

File File::create(const std::filesystem::path& path, std::uint64_t user_block,
                  std::uint64_t longest_attribute) {
  silence();
  const Handle access = file_access();
  H5Pset_fclose_degree(access.get(), H5F_CLOSE_STRONG);
  // Object headers of HDF5's first format hold 64 KiB; those of 1.8 keep long attributes apart.
  constexpr std::uint64_t kMostInHeader = 60000;
  if (longest_attribute > kMostInHeader) {
    H5Pset_libver_bounds(access.get(), H5F_LIBVER_V18, H5F_LIBVER_LATEST);
  }
  const Handle creation(H5Pcreate(H5P_FILE_CREATE), close_properties);
  H5Pset_obj_track_times(creation.get(), false);
  if (user_block > 0)
    check(H5Pset_userblock(creation.get(), user_block), path.string(), "create it");
  const SignalDelay none_appears_behind_its_back;
  Handle file = own(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation.get(), access.get()),
                    close_file, path.string(), "create it");
  Handle root = open_root(file.get(), path.string());
  return File(std::move(file), std::move(root), path, true);
}

bool File::has(const std::string& name) const {
  silence();
  const auto is_there = [&](const std::string& part) {
    const LinkAccess links(H5P_LINK_ACCESS);
    const bool found = H5Lexists(id(), part.c_str(), links.get()) > 0;
    links.require_followed(-1, fmt::format("{}:/{}", path_.string(), name));
    return found;
  };
  // Every group on the way must exist, or H5Lexists fails instead of answering.
  for (std::size_t slash = name.find('/', 1); slash != std::string::npos;
       slash = name.find('/', slash + 1)) {
    if (!is_there(name.substr(0, slash))) return false;
  }
  return is_there(name);
}

bool File::is_group(const std::string& name) const {
  silence();
  H5O_info_t info;
  const std::string label = fmt::format("{}:/{}", path_.string(), name);
  const LinkAccess links(H5P_LINK_ACCESS);
  const herr_t status =
      H5Oget_info_by_name2(id(), name.c_str(), &info, H5O_INFO_BASIC, links.get());
  links.require_followed(-1, label);
  check(status, label, "look at it");
  return info.type == H5O_TYPE_GROUP;
}

std::vector<std::string> File::names(const std::string& group) const {
  silence();
  const std::string label = path_.string() + ":" + group;
  const Handle handle = open_group(file_.get(), group, label);
  std::vector<std::string> names;
  const auto collect = [](hid_t, const char* name, const H5L_info_t*, void* out) -> herr_t {
    static_cast<std::vector<std::string>*>(out)->emplace_back(name);
    return 0;
  };
  check(H5Literate(handle.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, collect, &names), label,
        "list the group");
  return names;
}

Group File::group(const std::string& name) const {
  silence();
  const std::string label = fmt::format("{}:/{}", path_.string(), name);
  return {open_group(id(), name, label), label};
}

DataSet File::dataset(const std::string& name, std::optional<std::uint64_t> chunk_cache) const {
  silence();
  const std::string label = fmt::format("{}:/{}", path_.string(), name);
  require<DataError>(has(name), "hdf5", "{}: the data set is missing", label);
  const LinkAccess access(H5P_DATASET_ACCESS);
  if (chunk_cache) {
    H5Pset_chunk_cache(access.get(), H5D_CHUNK_CACHE_NSLOTS_DEFAULT, *chunk_cache,
                       H5D_CHUNK_CACHE_W0_DEFAULT);
  }
  const hid_t opened = H5Dopen2(id(), name.c_str(), access.get());
  access.require_followed(opened, label);
  Handle handle = own(opened, close_dataset, label, "open the data set");
  DataSet set(std::move(handle), label);
  if (writable_) return set;
  const std::filesystem::path holder = file_of(set.id(), label);
  if (holder != path_) {  // behind an external link
    refuse_writer(holder);
    set.remember(holder);
  }
  set.require_complete();
  return set;
}

DataSet File::create_dataset(const std::string& name, Type type, const Shape& shape,
                             std::uint64_t chunk_rows) {
  silence();
  const std::string label = fmt::format("{}:/{}", path_.string(), name);
  const Handle links(H5Pcreate(H5P_LINK_CREATE), close_properties);
  H5Pset_create_intermediate_group(links.get(), 1);
  const Handle creation(H5Pcreate(H5P_DATASET_CREATE), close_properties);
  H5Pset_obj_track_times(creation.get(), false);
  H5Pset_fill_time(creation.get(), H5D_FILL_TIME_NEVER);
  std::vector<hsize_t> extent(shape.begin(), shape.end());
  if (chunk_rows > 0 && !shape.empty()) {
    std::vector<hsize_t> chunk = extent;
    chunk[0] = std::min<hsize_t>(chunk_rows, std::max<hsize_t>(extent[0], 1));
    check(H5Pset_chunk(creation.get(), static_cast<int>(chunk.size()), chunk.data()), label,
          "set its chunks");
  } else {
    // Space is taken now, so that raw_offset() is known and data follow each other in the file.
    H5Pset_alloc_time(creation.get(), H5D_ALLOC_TIME_EARLY);
  }
  const Handle space(
      shape.empty() ? H5Screate(H5S_SCALAR)
                    : H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr),
      close_space);
  Handle handle = own(H5Dcreate2(id(), name.c_str(), stored_type(type).get(), space.get(),
                                 links.get(), creation.get(), H5P_DEFAULT),
                      close_dataset, label, "create the data set");
  DataSet dataset(std::move(handle), label);
  if (type == Type::kBFloat16) {
    dataset.write_attribute("dtype", "bf16");
    dataset.type_ = Type::kBFloat16;
  }
  return dataset;
}

void File::close() {
  silence();
  const std::string path = path_.string();
  if (writable_) check(H5Fflush(file_.get(), H5F_SCOPE_GLOBAL), path, "write it out");
  check(handle_.reset(), path, "close it");
  check(file_.reset(), path, "close it");
}

}  // namespace edt::h5
