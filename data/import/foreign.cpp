#include "data/import/foreign.h"

#include <string>

#include "core/base/error.h"
#include "core/storage/input_file.h"

namespace edt::data {

namespace {

std::string torch_line(const std::string& file) {
  return fmt::format(
      "python3 -c \"import torch, safetensors.torch as s; d = torch.load('{0}', "
      "map_location='cpu'); "
      "d = d if isinstance(d, dict) else dict(zip(['latents', 'labels'], [d] if torch.is_tensor(d) "
      "else "
      "d)); s.save_file({{k: v.contiguous() for k, v in d.items() if torch.is_tensor(v)}}, "
      "'{0}.safetensors')\"",
      file);
}

std::string pickle_line(const std::string& file) {
  return fmt::format(
      "python3 -c \"import pickle, numpy as np; d = pickle.load(open('{0}', 'rb')); d = d if "
      "isinstance(d, dict) else dict(zip(['latents', 'labels'], d)); np.savez('{0}.npz', **d)\"",
      file);
}

// U-ViT's pairs of an array and a label, one a file.
std::string objects_of_folder_line(const std::string& folder) {
  return fmt::format(
      "python3 -c \"import glob, os, numpy as np; os.makedirs('{0}-npz', exist_ok=True); "
      "[np.savez(os.path.join('{0}-npz', os.path.basename(f)[:-4]), latents=z, labels=y) for f in "
      "glob.glob('{0}/*.npy') for z, y in [np.load(f, allow_pickle=True)]]\", then --latents "
      "{0}-npz",
      folder);
}

std::string objects_line(const std::string& file) {
  return fmt::format(
      "python3 -c \"import numpy as np; d = np.load('{0}', allow_pickle=True); d = d.item() if "
      "d.ndim == "
      "0 else dict(zip(['latents', 'labels'], d)); np.savez('{0}.npz', **d)\"",
      file);
}

std::string_view name_of(FileKind kind) {
  switch (kind) {
    case FileKind::kTar:
      return "a tar archive: unpack it first";
    case FileKind::kGzip:
      return "compressed by gzip: gunzip it first";
    case FileKind::kZstd:
      return "compressed by zstd: unzstd it first";
    case FileKind::kXz:
      return "compressed by xz: unxz it first";
    case FileKind::kParquet:
      return "a Parquet table: save its columns as arrays first";
    case FileKind::kArrow:
      return "an Arrow table: save its columns as arrays first";
    case FileKind::kSqlite:
      return "an SQLite database";
    case FileKind::kPng:
    case FileKind::kJpeg:
      return "a picture, not latents: encode it with the VAE first";
    case FileKind::kJson:
      return "JSON";
    case FileKind::kEmpty:
      return "empty";
    default:
      return "of no known format";
  }
}

}  // namespace

void refuse_foreign(const std::filesystem::path& path, FileKind kind) {
  const std::string file = path.string();
  if (kind == FileKind::kTorchZip || kind == FileKind::kTorchLegacy) {
    fail<DataError>("import", "{}: is a PyTorch file (torch.save), convert it: {}", file,
                    torch_line(file));
  }
  if (kind == FileKind::kPickle) {
    fail<DataError>("import", "{}: is a pickle of Python, convert it: {}", file, pickle_line(file));
  }
  fail<DataError>("import", "{}: is {}; read are .npy, .npz, .safetensors and HDF5", file,
                  name_of(kind));
}

void refuse_objects(const std::filesystem::path& npy, bool of_folder) {
  const InputFile file(npy);
  std::string start(std::min<std::uint64_t>(file.size(), 256), '\0');
  file.read(0, std::as_writable_bytes(std::span(start)));
  const bool objects = start.starts_with("\x93NUMPY") &&
                       (start.find("'|O'") != start.npos || start.find("'O'") != start.npos);
  if (!objects) return;
  const std::string name = npy.string(), folder = npy.parent_path().string();
  fail<DataError>("import", "{}: holds Python objects (dtype object), convert {}: {}", name,
                  of_folder ? "the folder" : "it",
                  of_folder ? objects_of_folder_line(folder) : objects_line(name));
}

}  // namespace edt::data
