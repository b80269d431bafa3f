// Writes HDF5 files as other programs do, in every way that the library knows.
#pragma once

#include <hdf5.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

namespace edt::test {

using Extent = std::vector<hsize_t>;

inline hsize_t product(const Extent& extent) {
  return std::accumulate(extent.begin(), extent.end(), hsize_t{1}, std::multiplies<>());
}

// 1, 2, 3, ...
inline std::vector<float> counting(std::size_t count, float first = 1, float step = 1) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = first + static_cast<float>(i) * step;
  return values;
}

struct ForeignFile {
  explicit ForeignFile(const std::filesystem::path& path, hsize_t user_block = 0) {
    const hid_t creation = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_userblock(creation, user_block);
    id = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, creation, H5P_DEFAULT);
    H5Pclose(creation);
  }
  ~ForeignFile() { H5Fclose(id); }
  ForeignFile(const ForeignFile&) = delete;
  ForeignFile& operator=(const ForeignFile&) = delete;

  // A data set of float32 values 1, 2, 3, ... (none where `written` is false); `edit` sets how it
  // is stored.
  hid_t id = -1;
  void add(const char* name, const Extent& extent, const std::function<void(hid_t)>& edit = {},
           bool written = true, hid_t type = H5T_IEEE_F32LE, float first = 1,
           float step = 1) const {
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    if (edit) edit(creation);
    const hid_t space = H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr);
    const hid_t set = H5Dcreate2(id, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    if (written) {
      const std::vector<float> values = counting(product(extent), first, step);
      H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
    }
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(creation);
  }

  // Writes rows first ... first + count - 1 of a data set with `row` values each.
  void write_rows(const char* name, hsize_t first, hsize_t count, hsize_t row) const {
    const hid_t set = H5Dopen2(id, name, H5P_DEFAULT), space = H5Dget_space(set);
    const hsize_t values = count * row;
    const hid_t memory = H5Screate_simple(1, &values, nullptr);
    Extent start(static_cast<std::size_t>(H5Sget_simple_extent_ndims(space)), 0),
        extent(start.size());
    H5Sget_simple_extent_dims(space, extent.data(), nullptr);
    start[0] = first;
    extent[0] = count;
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, extent.data(), nullptr);
    const std::vector<float> data = counting(values, static_cast<float>(first * row + 1));
    H5Dwrite(set, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, data.data());
    H5Sclose(memory);
    H5Sclose(space);
    H5Dclose(set);
  }
};

// One mapping of a virtual data set: rows `to` ... of it are rows `from` ... of a source.
struct Source {
  std::string file, dataset;
  hsize_t to, from, rows;
  Extent extent;       // of the source, as the mapping believes it
  bool whole = false;  // all of the source, whatever it has
};

inline hid_t rows_of(const Extent& extent, hsize_t first, hsize_t count) {
  const hid_t space = H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr);
  Extent start(extent.size(), 0), block = extent;
  start[0] = first;
  block[0] = count;
  H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, block.data(), nullptr);
  return space;
}

inline std::function<void(hid_t)> from_sources(const Extent& extent,
                                               const std::vector<Source>& sources) {
  return [=](hid_t creation) {
    for (const Source& source : sources) {
      const hid_t to = rows_of(extent, source.to, source.rows);
      const hid_t from = rows_of(source.extent, source.from, source.rows);
      if (source.whole) H5Sselect_all(from);
      H5Pset_virtual(creation, to, source.file.c_str(), source.dataset.c_str(), from);
      H5Sclose(to);
      H5Sclose(from);
    }
  };
}

inline std::function<void(hid_t)> in_chunks(const Extent& chunk,
                                            const std::function<void(hid_t)>& filter = {}) {
  return [=](hid_t creation) {
    H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data());
    if (filter) filter(creation);
  };
}

inline hid_t float16() {
  const hid_t type = H5Tcopy(H5T_IEEE_F32LE);
  H5Tset_fields(type, 15, 10, 5, 0, 10);
  H5Tset_size(type, 2);
  H5Tset_ebias(type, 15);
  return type;
}

inline void flip_byte(const std::filesystem::path& file, std::uint64_t offset) {
  std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
  stream.seekg(static_cast<std::streamoff>(offset));
  const char byte = static_cast<char>(stream.get() ^ 0x10);
  stream.seekp(static_cast<std::streamoff>(offset));
  stream.put(byte);
}

}  // namespace edt::test
