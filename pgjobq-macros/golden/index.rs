#[allow(clippy::unused_async)]
async fn index(docs: Batch<Document>, engine: State<Engine>) -> BatchResult {
    engine.index(docs).await
}
///The ways to enqueue the job `index` and to wait for it.
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
struct index {}
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
    type __Job = index;
    impl __Job {
        /// The name under which the database stores jobs of this kind.
        pub const KIND: &'static str = "index";
        ///Makes a `index` job, which has options and is not enqueued yet.
        pub fn job(docs: Document) -> __pgjobq::NewJob<()> {
            let computed_0 = __pgjobq::Key::key(&docs.tenant);
            __stored::<(), Document>().0(&__Args { docs }).computed_key(computed_0)
        }
        ///Makes a `index` step of a workflow. Each argument is a value, or comes from another step: its `output()` or `result()`.
        pub fn step(docs: impl __pgjobq::Input<Document>) -> __pgjobq::NewStep<()> {
            let docs = __pgjobq::Input::<Document>::given(docs);
            let (docs, computed_0) = match (docs,) {
                (__pgjobq::Given::Value(docs, encode_0),) => {
                    let computed_0 = ::core::option::Option::Some(
                        __pgjobq::Key::key(&docs.tenant),
                    );
                    (__pgjobq::Given::Value(docs, encode_0), computed_0)
                }
                (docs,) => (docs, ::core::option::Option::None),
            };
            __pgjobq::NewStep::new(Self::KIND, &__POLICY, [docs.source("docs")])
                .computed_key(computed_0)
        }
        ///Makes a schedule of `index` jobs with these arguments: from a cron pattern, such as `0 9 * * MON-FRI`, or an interval, such as `every 10m`.
        pub fn schedule(
            text: impl ::core::convert::Into<::std::string::String>,
            docs: Document,
        ) -> __pgjobq::NewSchedule {
            __pgjobq::NewSchedule::new(text, Self::job(docs))
        }
        ///Returns the handle of the `index` job with this id.
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
        ///Enqueues a `index` job: to `&client`, `&pool`, `&mut *connection` or `&mut *transaction`.
        ///
        /// # Errors
        ///
        /// A mistake in the job, a queue that does not exist, and errors of the database.
        pub async fn enqueue(
            to: impl __pgjobq::Target,
            docs: Document,
        ) -> ::core::result::Result<__pgjobq::JobHandle<()>, __pgjobq::EnqueueError> {
            Self::job(docs).enqueue(to).await
        }
        ///Enqueues a `index` job, waits until it ends, and returns its result.
        ///
        /// # Errors
        ///
        /// The errors of the enqueue and of the wait, and an end without a result.
        pub async fn call(
            client: &__pgjobq::Client,
            docs: Document,
        ) -> ::core::result::Result<(), __pgjobq::CallError> {
            __call::<()>(Self::job(docs), client).await
        }
        #[doc(hidden)]
        pub const __ARGS: &'static [&'static str] = &["docs"];
        #[doc(hidden)]
        pub fn __args(
            args: &__pgjobq::StoredArgs<'_>,
        ) -> ::core::result::Result<__Args<Document>, __pgjobq::JobError> {
            __decode(args)
        }
    }
    #[derive(__pgjobq::serde::Serialize, __pgjobq::serde::Deserialize)]
    #[serde(crate = "__pgjobq::serde")]
    #[doc(hidden)]
    pub struct __Args<__0> {
        pub docs: __0,
    }
    type __NewJob<__T, __A> = fn(&__A) -> __pgjobq::NewJob<__T>;
    type __Decode<__A> = fn(
        &__pgjobq::StoredArgs<'_>,
    ) -> ::core::result::Result<__A, __pgjobq::JobError>;
    type __Shape = fn() -> ::std::vec::Vec<__pgjobq::ArgumentShape>;
    fn __stored<__T, __0: __pgjobq::Argument>() -> (
        __NewJob<__T, __Args<__0>>,
        __Decode<__Args<__0>>,
        __Shape,
    ) {
        (
            |args| __pgjobq::NewJob::new(__Job::KIND, &__POLICY, args),
            |args| args.decode(),
            || {
                ::std::vec![
                    __pgjobq::ArgumentShape { name : "docs", ty : "Document", inside :
                    __pgjobq::shape_of!(__0) }
                ]
            },
        )
    }
    fn __decode(
        stored: &__pgjobq::StoredArgs<'_>,
    ) -> ::core::result::Result<__Args<Document>, __pgjobq::JobError> {
        __stored::<(), Document>().1(stored)
    }
    const __POLICY: __pgjobq::Policy = __pgjobq::Policy::DEFAULT
        .batch(500)
        .within(::core::time::Duration::from_millis(200u64))
        .batch_by_key()
        .key(__pgjobq::ComputedFrom::Expression);
    type __Result = <BatchResult as __pgjobq::JobReturn>::Value;
    const fn __no_result<T: __pgjobq::NoResult>() {}
    const _: () = __no_result::<__Result>();
    fn __item(
        context: &__pgjobq::JobContext,
        args: &__pgjobq::serde_json::value::RawValue,
    ) -> ::core::result::Result<Document, __pgjobq::JobError> {
        ::core::result::Result::Ok(__decode(&context.stored(args))?.docs)
    }
    async fn __run(
        context: __pgjobq::JobContext,
        batch: __pgjobq::Batch<Document>,
    ) -> ::core::result::Result<(), __pgjobq::JobError> {
        let _ = &context;
        __pgjobq::JobReturn::into_result(
            index(batch, <State<Engine> as __pgjobq::HandedIn>::of(&context)?).await,
        )
    }
    const _: () = {
        use ::std::boxed::Box;
        #[doc(hidden)]
        #[__pgjobq::async_trait]
        impl __pgjobq::Handler for __Job {
            fn check(
                &self,
                args: &__pgjobq::StoredArgs<'_>,
            ) -> ::core::result::Result<(), __pgjobq::JobError> {
                __decode(args).map(|_| ())
            }
            fn shape(&self) -> ::std::vec::Vec<__pgjobq::ArgumentShape> {
                __stored::<(), Document>().2()
            }
        }
        #[doc(hidden)]
        #[__pgjobq::async_trait]
        impl __pgjobq::BatchHandler for __Job {
            async fn run(&self, items: ::std::vec::Vec<__pgjobq::RawItem>) {
                __pgjobq::run_call(items, __item, __run).await
            }
        }
    };
    __pgjobq::inventory::submit! {
        __pgjobq::JobDescriptor { kind : __Job::KIND, aliases : & [], policy : __POLICY,
        scheduled : ::core::option::Option::None, handler : & __Job {}, batch :
        ::core::option::Option::Some(& __Job {}), states : & [__pgjobq::StateType::of:: <
        Engine > ()], module : ::core::module_path!(), file : ::core::file!(), line :
        ::core::line!(), }
    }
    async fn __call<T: __pgjobq::StoredResult>(
        job: __pgjobq::NewJob<T>,
        client: &__pgjobq::Client,
    ) -> ::core::result::Result<T, __pgjobq::CallError> {
        job.call(client).await
    }
};
