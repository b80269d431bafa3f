#include "core/storage/hdf5_calls.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "core/base/error.h"
#include "core/storage/access.h"
#include "core/storage/hdf5_library.h"

namespace edt::h5 {

namespace {

// HDF5 closes what is open when the program ends, and crashes there on a file whose last write
// failed (a full disk). Files are closed by their owners here, so it need not. Must precede other
// calls.
[[maybe_unused]] const herr_t no_exit_handler = H5dont_atexit();

// No file locks, which parallel file systems often refuse. The property of a file does not reach
// the sources of virtual data sets: HDF5 would read these as fill values where it cannot lock them.
// What the user has set holds. Must precede other calls, too.
[[maybe_unused]] const int no_locks = setenv("HDF5_USE_FILE_LOCKING", "FALSE", 0);

herr_t remember_deepest(unsigned, const H5E_error2_t* entry, void* text) {
  if (entry->desc) *static_cast<std::string*>(text) = entry->desc;
  return 0;
}

// The innermost line of HDF5's error stack: it names the cause, with errno where there is one.
std::string last_error() {
  std::string text;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, remember_deepest, &text);
  H5Eclear2(H5E_DEFAULT);
  std::replace(text.begin(), text.end(), '\n', ' ');
  constexpr std::size_t kLongest = 300;
  if (text.size() > kLongest) text.resize(kLongest);
  return text.empty() ? "HDF5 gives no reason" : text;
}

// Batches are read ahead while a checkpoint is written: builds of HDF5 without a lock of their own
// (the default of its sources, not Debian's) would do both at once.
bool require_thread_safety() {
  hbool_t is_safe = false;
  H5is_library_threadsafe(&is_safe);
  require<SystemError>(is_safe, "hdf5",
                       "HDF5 {} was built without --enable-threadsafe, and is called from several "
                       "threads here",
                       hdf5_version());
  return true;
}

}  // namespace

// HDF5 keeps that switch per thread.
void silence() {
  static const bool is_safe = require_thread_safety();
  (void)is_safe;
  thread_local const bool done = [] {
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    return true;
  }();
  (void)done;
}

void fail_hdf5(const std::string& label, std::string_view action) {
  std::string reason = last_error();
  // The operating system's refusals carry "errno = ..."; everything else is about the content.
  constexpr std::string_view kErrno = "errno = ";
  if (const auto number = reason.find(kErrno); number != reason.npos) {
    const int code = std::atoi(reason.c_str() + number + kErrno.size());
    constexpr std::string_view kMessage = "error message = '";  // among times and addresses
    const auto message = reason.find(kMessage);
    if (message != reason.npos) {
      reason.erase(0, message + kMessage.size());
      reason.resize(std::min(reason.find('\''), reason.size()));
    }
    if (code == EMFILE) reason = error_text(code, {});
    fail_for<SystemError>(code, "hdf5", "{}: cannot {}: {}", label, action, reason);
  }
  // Formats of later versions, which h5py writes with libver="latest".
  const bool newer = reason.find("bad version number") != std::string::npos ||
                     reason.find("unknown version") != std::string::npos;
  fail<DataError>("hdf5", "{}: cannot {}: {}{}", label, action, reason,
                  newer ? fmt::format(": of a later HDF5 than {}, write it with "
                                      "h5py.File(name, 'w') without libver, or h5repack",
                                      hdf5_version())
                        : "");
}

void check(herr_t status, const std::string& label, std::string_view action) {
  if (status < 0) fail_hdf5(label, action);
}

Handle own(hid_t id, Handle::Close close, const std::string& label, std::string_view action) {
  if (id < 0) fail_hdf5(label, action);
  return Handle(id, close);
}

std::string file_of(hid_t object, const std::string& label) {
  const ssize_t length = H5Fget_name(object, nullptr, 0);
  if (length < 0) fail_hdf5(label, "name its file");
  std::string name(static_cast<std::size_t>(length) + 1, '\0');
  if (H5Fget_name(object, name.data(), name.size()) < 0) fail_hdf5(label, "name its file");
  name.pop_back();
  return name;
}

Shape dimensions(hid_t space, const std::string& label) {
  require<DataError>(H5Sget_simple_extent_type(space) != H5S_NULL, "hdf5",
                     "{}: holds no value (its data space is null)", label);
  const int rank = H5Sget_simple_extent_ndims(space);
  if (rank < 0) fail_hdf5(label, "read its shape");
  std::vector<hsize_t> extent(static_cast<std::size_t>(rank));
  if (rank > 0) {
    check(H5Sget_simple_extent_dims(space, extent.data(), nullptr), label, "read its shape");
  }
  std::uint64_t product = 1;
  for (hsize_t n : extent) {
    require<DataError>(n == 0 || product <= (std::uint64_t{1} << 59) / n, "hdf5",
                       "{}: shape [{}] is too large", label, fmt::join(extent, ", "));
    product *= std::max<hsize_t>(n, 1);
  }
  return {extent.begin(), extent.end()};
}

Handle vector_space(std::size_t size) {
  const hsize_t extent = size;
  return Handle(H5Screate_simple(1, &extent, nullptr), close_space);
}

Handle::Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}

Handle& Handle::operator=(Handle&& other) noexcept {
  if (this != &other) {
    reset();
    id_ = std::exchange(other.id_, -1);
    close_ = other.close_;
  }
  return *this;
}

int Handle::reset() {
  if (id_ < 0) return 0;
  silence();
  return close_(std::exchange(id_, -1));
}

}  // namespace edt::h5
