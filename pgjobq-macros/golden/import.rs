#[allow(clippy::unused_async)]
async fn import(tenant: u64, region: Region, pages: u32) {}
///The ways to enqueue the job `import` and to wait for it.
#[allow(
    dead_code,
    deprecated,
    missing_copy_implementations,
    missing_debug_implementations,
    non_camel_case_types,
    private_interfaces,
    unnameable_types,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic
)]
struct import {}
#[allow(
    dead_code,
    deprecated,
    missing_copy_implementations,
    missing_debug_implementations,
    non_camel_case_types,
    private_interfaces,
    unnameable_types,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic
)]
const _: () = {
    use ::pgjobq::__private as __pgjobq;
    type __Job = import;
    impl __Job {
        /// The name under which the database stores jobs of this kind.
        pub const KIND: &'static str = "import";
        ///Makes a `import` job, which has options and is not enqueued yet.
        pub fn job(tenant: u64, region: Region, pages: u32) -> __pgjobq::NewJob<()> {
            let computed_0 = __pgjobq::Key::key(format!("{tenant}/{region}"));
            let computed_1 = __pgjobq::Weight::weight(&pages);
            let computed_2 = __pgjobq::unique_by_all(&(&tenant, &region.code()));
            __stored::<(), u64, Region, u32>()
                .0(&__Args { tenant, region, pages })
                .computed_key(computed_0)
                .weight(computed_1)
                .computed_unique(computed_2)
        }
        ///Makes a `import` step of a workflow. Each argument is a value, or comes from another step: its `output()` or `result()`.
        pub fn step(
            tenant: impl __pgjobq::Input<u64>,
            region: impl __pgjobq::Input<Region>,
            pages: impl __pgjobq::Input<u32>,
        ) -> __pgjobq::NewStep<()> {
            let tenant = __pgjobq::Input::<u64>::given(tenant);
            let region = __pgjobq::Input::<Region>::given(region);
            let pages = __pgjobq::Input::<u32>::given(pages);
            let (tenant, region, computed_0) = match (tenant, region) {
                (
                    __pgjobq::Given::Value(tenant, encode_0),
                    __pgjobq::Given::Value(region, encode_1),
                ) => {
                    let computed_0 = ::core::option::Option::Some(
                        __pgjobq::Key::key(format!("{tenant}/{region}")),
                    );
                    (
                        __pgjobq::Given::Value(tenant, encode_0),
                        __pgjobq::Given::Value(region, encode_1),
                        computed_0,
                    )
                }
                (tenant, region) => (tenant, region, ::core::option::Option::None),
            };
            let (pages, computed_1) = match (pages,) {
                (__pgjobq::Given::Value(pages, encode_0),) => {
                    let computed_1 = ::core::option::Option::Some(
                        __pgjobq::Weight::weight(&pages),
                    );
                    (__pgjobq::Given::Value(pages, encode_0), computed_1)
                }
                (pages,) => (pages, ::core::option::Option::None),
            };
            __pgjobq::NewStep::new(
                    Self::KIND,
                    &__POLICY,
                    [
                        tenant.source("tenant"),
                        region.source("region"),
                        pages.source("pages"),
                    ],
                )
                .computed_key(computed_0)
                .computed_weight(computed_1)
        }
        ///Makes a schedule of `import` jobs with these arguments: from a cron pattern, such as `0 9 * * MON-FRI`, or an interval, such as `every 10m`.
        pub fn schedule(
            text: impl ::core::convert::Into<::std::string::String>,
            tenant: u64,
            region: Region,
            pages: u32,
        ) -> __pgjobq::NewSchedule {
            __pgjobq::NewSchedule::new(text, Self::job(tenant, region, pages))
        }
        ///Returns the handle of the `import` job with this id.
        #[must_use]
        pub fn handle(
            id: impl ::core::convert::Into<__pgjobq::JobId>,
        ) -> __pgjobq::JobHandle<()> {
            __pgjobq::JobHandle::from_id(
                ::core::convert::Into::into(id),
                Self::KIND,
                &__POLICY,
            )
        }
        ///Enqueues a `import` job: to `&client`, `&pool`, `&mut *connection` or `&mut *transaction`.
        ///
        /// # Errors
        ///
        /// A mistake in the job, a queue that does not exist, and errors of the database.
        pub async fn enqueue(
            to: impl __pgjobq::Target,
            tenant: u64,
            region: Region,
            pages: u32,
        ) -> ::core::result::Result<__pgjobq::JobHandle<()>, __pgjobq::EnqueueError> {
            Self::job(tenant, region, pages).enqueue(to).await
        }
        ///Enqueues a `import` job, waits until it ends, and returns its result.
        ///
        /// # Errors
        ///
        /// The errors of the enqueue and of the wait, and an end without a result.
        pub async fn call(
            client: &__pgjobq::Client,
            tenant: u64,
            region: Region,
            pages: u32,
        ) -> ::core::result::Result<(), __pgjobq::CallError> {
            __call::<()>(Self::job(tenant, region, pages), client).await
        }
        #[doc(hidden)]
        pub const __ARGS: &'static [&'static str] = &["tenant", "region", "pages"];
        #[doc(hidden)]
        pub fn __args(
            args: &__pgjobq::StoredArgs<'_>,
        ) -> ::core::result::Result<__Args<u64, Region, u32>, __pgjobq::JobError> {
            __decode(args)
        }
    }
    #[derive(__pgjobq::serde::Serialize, __pgjobq::serde::Deserialize)]
    #[serde(crate = "__pgjobq::serde")]
    #[doc(hidden)]
    pub struct __Args<__0, __1, __2> {
        pub tenant: __0,
        pub region: __1,
        pub pages: __2,
    }
    type __NewJob<__T, __A> = fn(&__A) -> __pgjobq::NewJob<__T>;
    type __Decode<__A> = fn(
        &__pgjobq::StoredArgs<'_>,
    ) -> ::core::result::Result<__A, __pgjobq::JobError>;
    type __Shape = fn() -> ::std::vec::Vec<__pgjobq::ArgumentShape>;
    fn __stored<
        __T,
        __0: __pgjobq::Argument,
        __1: __pgjobq::Argument,
        __2: __pgjobq::Argument,
    >() -> (
        __NewJob<__T, __Args<__0, __1, __2>>,
        __Decode<__Args<__0, __1, __2>>,
        __Shape,
    ) {
        (
            |args| __pgjobq::NewJob::new(__Job::KIND, &__POLICY, args),
            |args| args.decode(),
            || {
                ::std::vec![
                    __pgjobq::ArgumentShape { name : "tenant", ty : "u64", inside :
                    __pgjobq::shape_of!(__0) }, __pgjobq::ArgumentShape { name :
                    "region", ty : "Region", inside : __pgjobq::shape_of!(__1) },
                    __pgjobq::ArgumentShape { name : "pages", ty : "u32", inside :
                    __pgjobq::shape_of!(__2) }
                ]
            },
        )
    }
    fn __decode(
        stored: &__pgjobq::StoredArgs<'_>,
    ) -> ::core::result::Result<__Args<u64, Region, u32>, __pgjobq::JobError> {
        __stored::<(), u64, Region, u32>().1(stored)
    }
    const __POLICY: __pgjobq::Policy = __pgjobq::Policy::DEFAULT
        .concurrency(2)
        .on_conflict(__pgjobq::OnConflict::CancelWaiting)
        .on_retry(__pgjobq::OnRetry::LetPass)
        .rates(const {
            &[
                __pgjobq::Rate::new(100u32, ::core::time::Duration::from_secs(60u64)),
                __pgjobq::Rate::new(10u32, ::core::time::Duration::from_secs(1u64)),
            ]
        })
        .unique_while(
            __pgjobq::UniqueWhile::For(::core::time::Duration::from_secs(3600u64)),
        )
        .on_duplicate(
            __pgjobq::OnDuplicate::Debounce(::core::time::Duration::from_secs(5u64)),
        )
        .key(__pgjobq::ComputedFrom::Expression)
        .weight(__pgjobq::ComputedFrom::Arguments(&["pages"]))
        .unique(__pgjobq::ComputedFrom::Expression);
    async fn __run(
        context: __pgjobq::JobContext,
        args: &__pgjobq::serde_json::value::RawValue,
    ) -> ::core::result::Result<
        ::std::boxed::Box<__pgjobq::serde_json::value::RawValue>,
        __pgjobq::JobError,
    > {
        let args = __decode(&context.stored(args))?;
        __returns::<()>();
        <() as __pgjobq::JobReturn>::encode(
            import(args.tenant, args.region, args.pages).await,
        )
    }
    const _: () = {
        use ::std::boxed::Box;
        #[doc(hidden)]
        #[__pgjobq::async_trait]
        impl __pgjobq::Handler for __Job {
            async fn run(
                &self,
                context: __pgjobq::JobContext,
                args: &__pgjobq::serde_json::value::RawValue,
            ) -> ::core::result::Result<
                Box<__pgjobq::serde_json::value::RawValue>,
                __pgjobq::JobError,
            > {
                __run(context, args).await
            }
            fn check(
                &self,
                args: &__pgjobq::StoredArgs<'_>,
            ) -> ::core::result::Result<(), __pgjobq::JobError> {
                __decode(args).map(|_| ())
            }
            fn shape(&self) -> ::std::vec::Vec<__pgjobq::ArgumentShape> {
                __stored::<(), u64, Region, u32>().2()
            }
        }
    };
    __pgjobq::inventory::submit! {
        __pgjobq::JobDescriptor { kind : __Job::KIND, aliases : & [], policy : __POLICY,
        scheduled : ::core::option::Option::None, handler : & __Job {}, batch :
        ::core::option::Option::None, states : & [], module : ::core::module_path!(),
        file : ::core::file!(), line : ::core::line!(), }
    }
    fn __returns<R: __pgjobq::JobReturn<Value = ()>>() {}
    async fn __call<T: __pgjobq::StoredResult>(
        job: __pgjobq::NewJob<T>,
        client: &__pgjobq::Client,
    ) -> ::core::result::Result<T, __pgjobq::CallError> {
        job.call(client).await
    }
};
