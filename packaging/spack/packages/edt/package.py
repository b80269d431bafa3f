# spack repo add packaging/spack && spack install edt
# edt+cuda cuda_arch=90 builds the GPU backend for compute capability 9.0 alone; without cuda_arch for CMake's default.
from spack.package import *


class Edt(CMakePackage, CudaPackage):
    """Training system for efficient diffusion transformers (EDT, arXiv 2410.23788)."""

    homepage = "https://arxiv.org/abs/2410.23788"
    git = "file://" + __file__.rsplit("/packaging/", 1)[0]

    license("Apache-2.0")
    version("main", branch="main")
    version("0.1.0", commit="512c5cf9a058ab5575811a0f470df87dee1e26a1")

    variant("nccl", default=True, when="+cuda", description="Collectives between GPUs")

    depends_on("c", type="build")
    depends_on("cxx", type="build")
    depends_on("cmake@3.25:", type="build")
    depends_on("ninja", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("mpi")
    depends_on("onednn@2.6:")
    depends_on("hdf5@1.10.7:~mpi")
    depends_on("boost@1.74:+program_options")
    depends_on("eigen@3.4:", type="build")
    depends_on("fmt")
    depends_on("spdlog+fmt_external")
    depends_on("nlohmann-json")
    depends_on("highway")
    depends_on("libpng")
    depends_on("libjpeg-turbo")
    depends_on("libwebp")
    depends_on("hwloc@2.4:")
    depends_on("libarchive")
    depends_on("libzip")
    depends_on("xxhash")
    depends_on("utf8proc")
    depends_on("protozero")
    depends_on("simdjson")
    depends_on("cuda@12:", when="+cuda")
    depends_on("nccl", when="+nccl")
    conflicts("%gcc@:11", msg="C++20 needs GCC 12 or later")
    for arch in CudaPackage.cuda_arch_values:
        if not arch.rstrip("af") in ("80", "86", "87", "89", "90"):
            conflicts(f"cuda_arch={arch}", msg="the kernels are for compute capability 8.x and 9.0")

    generator("ninja")

    def cmake_args(self):
        args = [
            self.define("EDT_TESTS", False),
            self.define("EDT_CUDA", "ON" if self.spec.satisfies("+cuda") else "OFF"),
            self.define("EDT_NCCL", "ON" if self.spec.satisfies("+nccl") else "OFF"),
        ]
        if self.spec.satisfies("+cuda") and not self.spec.satisfies("cuda_arch=none"):
            archs = self.spec.variants["cuda_arch"].value
            args.append(self.define("EDT_CUDA_ARCHITECTURES", [f"{arch}-real" for arch in archs]))
        return args
