#include "data/import/foreign.h"

#include <string>

#include "core/base/error.h"
#include "core/base/shell_text.h"
#include "core/storage/input_file.h"

namespace edt::data {

namespace {

// A line of Python for the shell, which is told what to convert: names may hold quotes of any kind.
std::string python_line(const std::string& program, const std::string& path) {
  return fmt::format("python3 -c \"import sys; f = sys.argv[1]; {}\" {}", program,
                     shell_quoted(path));
}

std::string torch_line(const std::string& file) {
  return python_line(
      "import torch, safetensors.torch as s; d = torch.load(f, map_location='cpu'); d = d if "
      "isinstance(d, dict) else dict(zip(['latents', 'labels'], [d] if torch.is_tensor(d) else "
      "d)); s.save_file({k: v.contiguous() for k, v in d.items() if torch.is_tensor(v)}, f + "
      "'.safetensors')",
      file);
}

std::string pickle_line(const std::string& file) {
  return python_line(
      "import pickle, numpy as np; d = pickle.load(open(f, 'rb')); d = d if isinstance(d, dict) "
      "else dict(zip(['latents', 'labels'], d)); np.savez(f + '.npz', **d)",
      file);
}

// U-ViT's pairs of an array and a label, one a file.
std::string objects_of_folder_line(const std::string& folder) {
  return python_line(
             "import glob, os, numpy as np; o = f + '-npz'; os.makedirs(o, exist_ok=True); "
             "[np.savez(os.path.join(o, os.path.basename(p)[:-4]), latents=z, labels=y) for p in "
             "glob.glob(os.path.join(glob.escape(f), '*.npy')) for z, y in [np.load(p, "
             "allow_pickle=True)]]",
             folder) +
         ", then --latents " + shell_quoted(folder + "-npz");
}

std::string objects_line(const std::string& file) {
  return python_line(
      "import numpy as np; d = np.load(f, allow_pickle=True); d = d.item() if d.ndim == 0 else "
      "dict(zip(['latents', 'labels'], d)); np.savez(f + '.npz', **d)",
      file);
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
                  described(kind));
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
