# syntax=docker/dockerfile:1
ARG BASE_IMAGE=python:3.10-slim-bookworm

FROM ${BASE_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1
# Two of the locked packages (pyfarmhash, crcmod) come as sources only.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY requirements/bootstrap.txt requirements/pipeline.txt requirements/
RUN python3.10 -m venv /opt/bootstrap \
    && /opt/bootstrap/bin/python -m pip install --require-hashes -r requirements/bootstrap.txt \
    && python3.10 -m venv --without-pip /opt/hpatches \
    && /opt/bootstrap/bin/uv pip install --python /opt/hpatches/bin/python \
        --require-hashes -r requirements/pipeline.txt
COPY setup.py pyproject.toml ./
COPY trainer trainer
COPY components components
COPY pipeline pipeline
RUN /opt/bootstrap/bin/uv pip install --python /opt/hpatches/bin/python \
        --no-build-isolation --no-deps .

FROM ${BASE_IMAGE} AS pipeline
LABEL org.opencontainers.image.title="hpatches-pipeline" \
      org.opencontainers.image.description="Trains, judges and ships local patch descriptors."
RUN groupadd --gid 10001 hpatches \
    && useradd --uid 10001 --gid hpatches --create-home hpatches
COPY --from=build /opt/hpatches /opt/hpatches
ENV PATH=/opt/hpatches/bin:${PATH} \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER hpatches
WORKDIR /home/hpatches
ENTRYPOINT ["hpatches"]
CMD ["--help"]
