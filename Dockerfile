# syntax=docker/dockerfile:1
# Two images:
#
#   docker build --target pipeline .       every component
#   docker build --target trainer-tpu .    `python -m trainer` for Cloud TPUs, without TFX
#
# BASE_IMAGE is any Debian or Ubuntu that has a Python of PYTHON_VERSION, or whose packages do;
# `requirements/` has a lock per version. TensorFlow computes on a GPU only where the base has CUDA
# and cuDNN (docs/cloud.md, GPUs). A package index of your own and a proxy's certificates are
# secrets of the build (docker/with-secrets):
#
#   --secret id=index,src=FILE --secret id=certificates,src=FILE
ARG BASE_IMAGE=debian:trixie-slim
ARG PYTHON_VERSION=3.13

# What both images stand on, and nothing of what they are built with. Debian keeps no older
# versions of packages that could be asked for.
FROM ${BASE_IMAGE} AS runtime
ARG PYTHON_VERSION
# hadolint ignore=DL3008
RUN command -v "python${PYTHON_VERSION}" > /dev/null || { \
        apt-get update \
        && apt-get install --yes --no-install-recommends ca-certificates "python${PYTHON_VERSION}" \
        && apt-get clean \
        && rm -rf /var/lib/apt/lists/*; \
    }
RUN groupadd --gid 10001 hpatches \
    && useradd --uid 10001 --gid hpatches --create-home hpatches
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /home/hpatches

# Its imports leave bytecode of what every start loads, which a container's user could not write.
FROM runtime AS installer
ARG PYTHON_VERSION
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PYTHONDONTWRITEBYTECODE= \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never
# hadolint ignore=DL3008,DL3009
RUN "python${PYTHON_VERSION}" -c 'import ensurepip' 2> /dev/null || { \
        apt-get update \
        && apt-get install --yes --no-install-recommends "python${PYTHON_VERSION}-venv"; \
    }
WORKDIR /build
COPY docker/with-secrets docker/with-secrets
COPY requirements/bootstrap.txt requirements/bootstrap.txt
RUN --mount=type=secret,id=index --mount=type=secret,id=certificates \
    "python${PYTHON_VERSION}" -m venv /opt/bootstrap \
    && docker/with-secrets /opt/bootstrap/bin/python -m pip install \
        --require-hashes -r requirements/bootstrap.txt

# TensorFlow's header files serve a compiler, and there is none.
FROM installer AS trainer-tpu-packages
ARG PYTHON_VERSION
COPY requirements/trainer/tpu.txt requirements/trainer/tpu.txt
RUN --mount=type=secret,id=index --mount=type=secret,id=certificates \
    "python${PYTHON_VERSION}" -m venv --without-pip /opt/trainer \
    && docker/with-secrets /opt/bootstrap/bin/uv pip sync --python /opt/trainer/bin/python \
        --no-build --require-hashes requirements/trainer/tpu.txt \
    && rm -r "/opt/trainer/lib/python${PYTHON_VERSION}/site-packages/tensorflow/include" \
    && TPU_LOAD_LIBRARY=0 /opt/trainer/bin/python -c 'import tensorflow, tf_keras, pydantic, yaml'

FROM runtime AS trainer-tpu
ARG PYTHON_VERSION
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="hpatches-trainer-tpu" \
      org.opencontainers.image.description="Trains local patch descriptors on Cloud TPUs." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=trainer-tpu-packages /opt/trainer /opt/trainer
# Where Vertex AI's jobs look for the library (components/descriptor_trainer/vertex/job.py).
RUN ln -sf "/opt/trainer/lib/python${PYTHON_VERSION}/site-packages/libtpu/libtpu.so" /lib/libtpu.so
COPY trainer /opt/trainer/lib/python${PYTHON_VERSION}/site-packages/trainer
ENV PATH=/opt/trainer/bin:${PATH}
# 0 (root) where the files of the TPU's devices are root's alone.
ARG TRAINER_USER=10001
USER ${TRAINER_USER}
HEALTHCHECK --interval=10m --timeout=2m --start-period=2m CMD ["python", "-m", "trainer.health"]
# No ENTRYPOINT: the one of Vertex's base image for TPU pods starts its servers.
CMD ["python", "-m", "trainer", "--help"]

FROM installer AS pipeline-packages
ARG PYTHON_VERSION
COPY requirements requirements
RUN --mount=type=secret,id=index --mount=type=secret,id=certificates \
    "python${PYTHON_VERSION}" -m venv --without-pip /opt/hpatches \
    && for lock in build "py3${PYTHON_VERSION#3.}/pipeline"; do \
        docker/with-secrets /opt/bootstrap/bin/uv pip sync --python /opt/hpatches/bin/python \
            --no-build-isolation --require-hashes "requirements/$lock.txt" || exit 1; \
    done \
    && rm -r "/opt/hpatches/lib/python${PYTHON_VERSION}/site-packages/tensorflow/include" \
    && /opt/hpatches/bin/python -c 'import tensorflow_model_analysis, tfx.components; \
        import tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor'

# Apart from the packages, so that a change of ours is a layer of a megabyte.
FROM pipeline-packages AS pipeline-project
COPY setup.py pyproject.toml ./
COPY trainer trainer
COPY components components
COPY pipeline pipeline
RUN /opt/bootstrap/bin/uv pip install --python /opt/hpatches/bin/python --prefix /opt/project \
        --offline --no-build-isolation --no-deps .

FROM runtime AS pipeline
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="hpatches-pipeline" \
      org.opencontainers.image.description="Trains, judges and ships local patch descriptors." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=pipeline-packages /opt/hpatches /opt/hpatches
COPY --from=pipeline-project /opt/project /opt/hpatches
ENV PATH=/opt/hpatches/bin:${PATH}
USER 10001
HEALTHCHECK --interval=10m --timeout=2m --start-period=2m \
    CMD ["python", "-m", "components.kubeflow.health"]
ENTRYPOINT ["hpatches"]
CMD ["--help"]
