# spack repo add packaging/spack && spack install edt
from spack.package import *


class Edt(CMakePackage, CudaPackage):
    """Training system for efficient diffusion transformers (EDT, arXiv 2410.23788)."""

    license("Apache-2.0")
    version("main", branch="main", git="file://" + __file__.rsplit("/packaging/", 1)[0])

    variant("nccl", default=True, when="+cuda", description="Collectives between GPUs")

    depends_on("c", type="build")
    depends_on("cxx", type="build")
    depends_on("cmake@3.25:", type="build")
    depends_on("ninja", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("mpi")
    depends_on("onednn@2.6:")
    depends_on("hdf5@1.10.7:+hl~mpi")
    depends_on("boost@1.74:+program_options")
    depends_on("fmt")
    depends_on("spdlog+fmt_external")
    depends_on("nlohmann-json")
    depends_on("highway")
    depends_on("libpng")
    depends_on("libzip")
    depends_on("xxhash")
    depends_on("protozero")
    depends_on("simdjson")
    depends_on("nccl", when="+nccl")
    conflicts("%gcc@:11", msg="C++20 needs GCC 12 or later")

    generator("ninja")

    def cmake_args(self):
        return [
            self.define("EDT_TESTS", False),
            self.define("EDT_CUDA", "ON" if self.spec.satisfies("+cuda") else "OFF"),
        ]
